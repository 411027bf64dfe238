import { button, h, icon } from "./dom.js";

const SHOWN = 8000; // milliseconds
const MOST = 3;

/**
 * A line at the bottom that goes by itself. It waits while the pointer or the focus is on it.
 * @param {string} words
 * @param {{words: string, run: () => void}} [action]
 * @param {{stays?: boolean}} [how]
 */
export function toast(words, action, { stays = false } = {}) {
  const home = document.querySelector("dialog[open] .toasts") ?? document.getElementById("toasts");
  if (!home) return;
  const act = action && h("button", { type: "button", class: "toast-act", text: action.words, onclick: () => leave(action.run) });
  const close = h("button", { type: "button", class: "toast-close", "aria-label": "Close", onclick: () => leave() }, icon("close"));
  const element = h("div", { class: "toast", role: stays ? "alert" : null }, h("p", { text: words }), act ?? null, close);
  let timer = 0;
  const leave = (/** @type {(() => void)|undefined} */ then = undefined) => {
    clearTimeout(timer);
    element.remove();
    then?.();
  };
  const start = () => {
    if (!stays) timer = window.setTimeout(leave, SHOWN);
  };
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", start);
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("focusout", start);
  home.append(element);
  const passing = [...home.children].filter((one) => one.getAttribute("role") !== "alert");
  for (const one of passing.slice(0, Math.max(0, home.childElementCount - MOST))) one.remove();
  start();
}

/** @typedef {{words: string, key?: string, run: () => void, primary?: boolean}} Act */

/** The bar that comes up from below when something is picked. @param {string} words what is picked @param {Act[]} acts none: the bar goes away */
export function showDock(words, acts) {
  const home = /** @type {HTMLElement} */ (document.getElementById("actions"));
  if (!acts.length) return home.replaceChildren();
  const known = home.querySelector(".dock");
  const count = h("p", { class: "dock-count", text: words });
  const buttons = acts.map((act) => button(act.words, { key: act.key, onclick: act.run, primary: act.primary }));
  const bar = known ?? h("div", { class: "dock", role: "toolbar", "aria-label": "With what is selected" });
  bar.replaceChildren(count, ...buttons);
  if (!known) home.replaceChildren(bar);
  return undefined;
}

/** A page with nothing to show says why, and what to do. @param {string} title @param {string} words @param {...Node} more */
export const emptyState = (title, words, ...more) => h("section", { class: "empty" }, h("h2", { text: title }), h("p", { text: words }), ...more);

export function errorState(/** @type {any} */ error, /** @type {() => void} */ retry) {
  if (error.status === 401) {
    return emptyState("This browser is no longer let in", "The server was started again. Open the address that “unmingle review” printed.");
  }
  const words = error.mend || "The server could not answer. Nothing was changed.";
  return emptyState(error.problem ?? "Something went wrong.", words, h("p", {}, button("Try again", { primary: true, onclick: retry })));
}
