import { h, icon } from "./dom.js";

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
  while (home.childElementCount > MOST) home.firstElementChild?.remove();
  start();
}
