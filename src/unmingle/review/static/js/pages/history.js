import { redo, undo } from "../actions.js";
import { button, h } from "../dom.js";
import { endless } from "../endless.js";
import { clock, counted, day } from "../format.js";
import { setTitle } from "../router.js";
import { on } from "../session.js";
import { emptyState } from "../toasts.js";

const PAGE = 60;
const BY = /** @type {Record<string, string>} */ ({ person: "", rule: "by the program", import: "imported" });

/** The log, newest first. @type {import("../router.js").Mount} */
export function mount(root, { restore }) {
  setTitle("History");
  let lastDay = "";
  const list = h("ol", { class: "log" });
  const end = h("div", { class: "log-end" });
  root.append(h("h1", { class: "page-title", text: "History" }), list, end);

  const log = endless({
    path: "/decisions",
    size: PAGE,
    items: (page) => page.decisions,
    end,
    empty: () => emptyState("Nothing was decided yet", "Names, merges and corrections are listed here as you make them, and each can be taken back."),
    renew,
    put,
  });

  function renew(/** @type {any} */ page) {
    const held = list.contains(document.activeElement) ? document.activeElement?.closest("li")?.dataset.decision : null;
    lastDay = "";
    list.replaceChildren();
    put(page);
    if (held) list.querySelector(`[data-decision="${held}"] button`)?.focus({ preventScroll: true });
  }

  function put(/** @type {any} */ page) {
    for (const decision of page.decisions) {
      const date = day(decision.made);
      if (date !== lastDay) list.append(h("li", { class: "log-day" }, h("h2", { text: date })));
      lastDay = date;
      list.append(row(decision));
    }
  }

  const unheard = on("changed", log.again);
  void log.start(restore.shown);
  return {
    snapshot: () => ({ shown: log.shown() }),
    unmount: () => {
      log.stop();
      unheard();
    },
  };
}

function row(/** @type {import("../session.js").Decision} */ decision) {
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
