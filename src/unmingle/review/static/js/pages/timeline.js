import { get } from "../api.js";
import { h } from "../dom.js";
import { bind } from "../keyboard.js";
import { recordingView } from "../recording.js";
import { setTitle } from "../router.js";
import { on } from "../session.js";
import { emptyState, errorState } from "../states.js";
import { showTip } from "../time-tip.js";

const PAGE = 20;

/** Who is on screen when, recording by recording. @type {import("../router.js").Mount} */
export function mount(root, { restore }) {
  setTitle("Timeline");
  let total = 0;
  let shown = 0;
  let wave = 0;
  let loading = false;
  let scroll = restore.scroll ?? 0; // to come back to, once
  /** How closely each recording is looked at. @type {Map<number, number>} */
  const zooms = new Map();
  /** @type {Map<Element, ReturnType<typeof recordingView>>} */
  const views = new Map();
  const list = h("div", { class: "recordings" });
  const end = h("div", { class: "log-end" });
  root.append(h("h1", { class: "page-title", text: "Timeline" }), list, end);

  // A recording is filled in when it comes near the screen.
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      if (target === end) void more();
      else views.get(target)?.draw();
    }
  }, { rootMargin: "800px" });

  /** @param {number} [wanted] recordings that are to be there at least */
  async function start(wanted = PAGE) {
    wave += 1;
    const mine = wave;
    try {
      const page = await get("/timeline", { offset: 0, limit: Math.min(1000, Math.max(PAGE, wanted)) });
      if (mine !== wave) return;
      clear();
      put(page);
      end.replaceChildren(...(total ? [] : [emptyState("There are no recordings", "Give “unmingle cluster” a recording, and who is on screen when is shown here.")]));
      if (scroll) scrollTo(0, scroll);
      scroll = 0;
    } catch (error) {
      if (mine === wave) end.replaceChildren(errorState(error, () => start()));
    }
  }

  async function more() {
    if (loading || shown >= total) return;
    loading = true;
    const mine = wave;
    try {
      const page = await get("/timeline", { offset: shown, limit: PAGE });
      if (mine !== wave) return;
      end.replaceChildren();
      put(page);
    } catch (error) {
      if (mine === wave) end.replaceChildren(errorState(error, more));
    } finally {
      loading = false;
    }
  }

  /** @param {any} page */
  function put(page) {
    total = page.total;
    shown += page.recordings.length;
    for (const facts of page.recordings) {
      const view = recordingView(facts, { zoom: zooms.get(facts.recording), onZoom: (zoom) => zooms.set(facts.recording, zoom) });
      views.set(view.element, view);
      list.append(view.element);
      observer.observe(view.element);
    }
    observer.unobserve(end); // it tells of changes only, and the end may still be near
    observer.observe(end);
  }

  function clear() {
    for (const [element, view] of views) {
      observer.unobserve(element);
      view.stop();
    }
    views.clear();
    list.replaceChildren();
    showTip(null);
    shown = 0;
  }

  const toBars = () => /** @type {HTMLElement|null} */ (list.querySelector('.bar-time[tabindex="0"]'))?.focus();
  const unbind = bind({
    title: "Timeline",
    bindings: [{ keys: ["ArrowLeft", "ArrowRight", "Home", "End"], words: "From one time to the next", run: toBars }],
  });
  const unheard = on("changed", () => start(shown));
  start(restore.shown);
  return {
    snapshot: () => ({ shown }),
    unmount: () => {
      wave += 1;
      observer.disconnect();
      clear();
      unbind();
      unheard();
    },
  };
}
