import { button, h } from "./dom.js";

/**
 * A page with nothing to show says why, and what to do.
 * @param {string} title @param {string} words
 * @param {...Node} more
 */
export const emptyState = (title, words, ...more) => h("section", { class: "empty" }, h("h2", { text: title }), h("p", { text: words }), ...more);

/** @param {any} error @param {() => void} retry */
export function errorState(error, retry) {
  if (error.status === 401) {
    return emptyState("This browser is no longer let in", "The server was started again. Open the address that “unmingle review” printed.");
  }
  const words = error.mend || "The server could not answer. Nothing was changed.";
  return emptyState(error.problem ?? "Something went wrong.", words, h("p", {}, button("Try again", { primary: true, onclick: retry })));
}
