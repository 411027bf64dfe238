import { h } from "../dom.js";
import { endless } from "../endless.js";
import { bind } from "../keyboard.js";
import { recordingView } from "../recording.js";
import { setTitle } from "../router.js";
import { on } from "../session.js";
import { showTip } from "../time-tip.js";
import { emptyState } from "../toasts.js";

const PAGE = 20;

/** Who is on screen when, recording by recording. @type {import("../router.js").Mount} */
export function mount(root, { restore }) {
  setTitle("Timeline");
  /** How closely each recording is looked at. @type {Map<number, number>} */
  const zooms = new Map();
  /** What is on the page, by recording. told: what it was drawn from. @type {Map<number, ReturnType<typeof recordingView> & {told: string}>} */
  const views = new Map();
  const list = h("div", { class: "recordings" });
  const end = h("div", { class: "log-end" });
  root.append(h("h1", { class: "page-title", text: "Timeline" }), list, end);

  // A recording is filled in when it comes near the screen.
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) views.get(Number(/** @type {HTMLElement} */ (target).dataset.recording))?.draw();
    }
  }, { rootMargin: "800px" });

  const recordings = endless({
    path: "/timeline",
    size: PAGE,
    items: (page) => page.recordings,
    end,
    empty: () => emptyState("There are no recordings", "Give “unmingle cluster” a recording, and who is on screen when is shown here."),
    renew,
    put,
  });

  /** What did not change stays as it is: opened, scrolled, with the focus in it. @param {any} page */
  function renew(page) {
    const numbers = page.recordings.map((/** @type {any} */ facts) => facts.recording);
    if (!views.size || numbers.join() !== [...views.keys()].join()) {
      clear();
      put(page);
      return;
    }
    for (const facts of page.recordings) {
      const before = /** @type {ReturnType<typeof view>} */ (views.get(facts.recording));
      if (before.told === JSON.stringify(facts)) continue;
      const held = barHeld(before.element);
      forget(before);
      before.element.replaceWith(view(facts).element);
      if (held) refocus(facts.recording, held);
    }
  }

  /** @param {Element} element @returns {string|null} how to find the bar that has the focus */
  function barHeld(element) {
    const bar = element.querySelector(".bar-time:focus");
    return bar && `.bar-time[href="${bar.getAttribute("href")}"][data-at="${/** @type {HTMLElement} */ (bar).dataset.at}"]`;
  }

  function refocus(/** @type {number} */ recording, /** @type {string} */ bar) {
    const now = views.get(recording);
    now?.draw();
    /** @type {HTMLElement|null} */ (now?.element.querySelector(bar))?.focus({ preventScroll: true });
  }

  function put(/** @type {any} */ page) {
    list.append(...page.recordings.map((/** @type {any} */ facts) => view(facts).element));
  }

  function view(/** @type {any} */ facts) {
    const { recording } = facts;
    const made = recordingView(facts, { zoom: zooms.get(recording), onZoom: (zoom) => zooms.set(recording, zoom) });
    const kept = { ...made, told: JSON.stringify(facts) };
    views.set(recording, kept);
    observer.observe(kept.element);
    return kept;
  }

  function forget(/** @type {ReturnType<typeof view>} */ kept) {
    observer.unobserve(kept.element);
    kept.stop();
    showTip(null);
  }

  function clear() {
    for (const kept of views.values()) forget(kept);
    views.clear();
    list.replaceChildren();
  }

  const toBars = () => /** @type {HTMLElement|null} */ (list.querySelector('.bar-time[tabindex="0"]'))?.focus();
  const unbind = bind({
    title: "Timeline",
    bindings: [{ keys: ["ArrowLeft", "ArrowRight", "Home", "End"], words: "From one time to the next", run: toBars }],
  });
  const unheard = on("changed", recordings.again);
  void recordings.start(restore.shown);
  return {
    snapshot: () => ({ shown: recordings.shown() }),
    unmount: () => {
      recordings.stop();
      observer.disconnect();
      clear();
      unbind();
      unheard();
    },
  };
}
