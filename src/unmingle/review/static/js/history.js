import { faceImages } from "./cells.js";
import { redo, undo } from "./decisions.js";
import { chips, emptyState, press } from "./dialogs.js";
import { button, clock, counted, day, h } from "./dom.js";
import { endless } from "./lists.js";
import { setQuery } from "./router.js";

const BY = /** @type {Record<string, string>} */ ({ person: "", rule: "by the program", import: "imported" });

const SHOWS = { all: "All", names: "Names", merges: "Merged or not", faces: "Faces", ignored: "Ignored", undone: "Undone" };

/** The log, newest first. @type {Mount} */
export function history(root, visit) {
  const chosen = { show: visit.query.get("show") ?? "all", faces: "6" };
  const list = h("ol", { class: "log" });
  const log = endless("/decisions", visit, {
    size: 60,
    query: chosen,
    list,
    row,
    group: (decision) => day(decision.made),
    empty: () => chosen.show !== "all" ? emptyState("Nothing of this kind was decided", "All shows the others.") : emptyState("Nothing was decided yet", "Names, merges and corrections are listed here as you make them, and each can be taken back."),
  });
  const shows = chips("reasons", SHOWS, chosen.show, (show) => {
    chosen.show = show;
    press(shows, show);
    setQuery({ show: show === "all" ? "" : show });
    log.start();
  });
  root.append(h("h1", { class: "page-title", text: "History" }), shows, list, log.end);
  log.start();
  return log;
}

function row(/** @type {Schemas["LoggedDecision"]} */ decision) {
  const { id, live, words, person, faces } = decision;
  const about = [BY[decision.by] ?? decision.by, faces ? `${counted(faces, "face")} moved` : ""].filter(Boolean).join(", ");
  const verb = live ? "Undo" : "Redo";
  const turn = () => void (live ? undo : redo)(id);
  return h("li", { class: live ? "log-row" : "log-row undone" },
    h("time", { datetime: decision.made, text: clock(decision.made) }),
    h("div", { class: "log-what" },
      person === null ? h("span", { class: "log-words", text: words }) : h("a", { class: "log-words", href: `/people/${person}`, text: words }),
      h("span", { class: "log-about", text: live ? about : "undone" }),
      h("div", { class: "log-faces" }, ...faceImages(decision.show)),
    ),
    // What takes back, and that faces were grouped, can't be taken back itself.
    !["undo", "redo", "cluster"].includes(decision.kind) &&
      button(verb, { onclick: turn, class: "quiet-button", attrs: { "aria-label": `${verb}: ${words}` } }),
  );
}
