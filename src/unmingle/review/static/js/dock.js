import { button, h } from "./dom.js";

/**
 * @typedef {{words: string, key?: string, run: () => void, primary?: boolean}} Act
 */

/**
 * The bar that comes up from below when something is picked.
 * @param {string} words what is picked
 * @param {Act[]} acts none: the bar goes away
 */
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
