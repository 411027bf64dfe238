import { redo, undo } from "../actions.js";
import { get } from "../api.js";
import { button, h } from "../dom.js";
import { clock, counted, day } from "../format.js";
import { bind } from "../keyboard.js";
import { setTitle } from "../router.js";
import { on } from "../session.js";
import { emptyState, errorState } from "../states.js";

const PAGE = 60;
const BY = /** @type {Record<string, string>} */ ({ person: "", rule: "by the program", import: "imported" });

/** The log, newest first. @type {import("../router.js").Mount} */
export function mount(root, { restore }) {
  setTitle("History");
  let total = 0;
  let shown = 0;
  let wave = 0;
  let loading = false;
  let lastDay = "";
  let scroll = restore.scroll ?? 0; // to come back to, once
  const list = h("ol", { class: "log" });
  const end = h("div", { class: "log-end" });
  root.append(h("h1", { class: "page-title", text: "History" }), list, end);

  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) more();
  }, { rootMargin: "800px" });

  /** @param {number} [wanted] entries that are to be there at least */
  async function start(wanted = PAGE) {
    wave += 1;
    const mine = wave;
    try {
      const page = await get("/decisions", { offset: 0, limit: Math.min(1000, Math.max(PAGE, wanted)) });
      if (mine !== wave) return;
      const held = list.contains(document.activeElement) ? document.activeElement?.closest("li")?.dataset.decision : null;
      lastDay = "";
      shown = 0;
      list.replaceChildren();
      put(page);
      if (held) list.querySelector(`[data-decision="${held}"] button`)?.focus({ preventScroll: true });
      end.replaceChildren(...(total ? [] : [emptyState("Nothing was decided yet", "Names, merges and corrections are listed here as you make them, and each can be taken back.")]));
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
      const page = await get("/decisions", { offset: shown, limit: PAGE });
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
    shown += page.decisions.length;
    observer.unobserve(end); // it tells of changes only, and the end may still be near
    observer.observe(end);
    for (const decision of page.decisions) {
      const date = day(decision.made);
      if (date !== lastDay) list.append(h("li", { class: "log-day" }, h("h2", { text: date })));
      lastDay = date;
      list.append(row(decision));
    }
  }

  const unbind = bind({ title: "History", bindings: [] });
  const unheard = on("changed", () => start(shown));
  start(restore.shown);
  return {
    snapshot: () => ({ shown }),
    unmount: () => {
      wave += 1;
      observer.disconnect();
      unbind();
      unheard();
    },
  };
}

/** @param {import("../session.js").Decision} decision */
function row(decision) {
  const about = [BY[decision.by] ?? decision.by, decision.faces ? `${counted(decision.faces, "face")} moved` : ""].filter(Boolean).join(", ");
  const words = decision.person === null
    ? h("span", { class: "log-words", text: decision.words })
    : h("a", { class: "log-words", href: `/people/${decision.person}`, text: decision.words });
  return h("li", { class: decision.live ? "log-row" : "log-row undone", "data-decision": decision.id },
    h("time", { datetime: decision.made, text: clock(decision.made) }),
    h("div", { class: "log-what" }, words, h("span", { class: "log-about", text: decision.live ? about : "undone" })),
    turn(decision),
  );
}

/** Undo or redo, where that can be. @param {import("../session.js").Decision} decision */
function turn(decision) {
  if (["undo", "redo", "cluster"].includes(decision.kind)) return null;
  const verb = decision.live ? "Undo" : "Redo";
  const run = decision.live ? undo : redo;
  return button(verb, { onclick: () => void run(decision.id), class: "quiet-button", attrs: { "aria-label": `${verb}: ${decision.words}` } });
}
