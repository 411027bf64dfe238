import { announce, button, byId, h, iconButton } from "./dom.js";
import { overlay } from "./router.js";

// The browser's own <dialog> keeps the focus inside and gives it back, and closes with Escape and beside it.
/** A modal dialog around anything. Resolves to what its fields say if a button ended it that has nothing else to do, else to null. @type {OpenDialog} */
export function openDialog(title, body, foot, kind = "") {
  const form = h("form", { method: "dialog" },
    h("h2", { text: title }),
    h("div", { class: "dialog-body" }, ...body),
    h("div", { class: "dialog-foot" }, ...foot),
  );
  const element = h("dialog", { class: `dialog ${kind}`, "aria-label": title, closedby: "any" }, form);
  const closed = overlay(() => element.close());
  document.body.append(element);
  element.showModal();
  return new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      closed();
      resolve(element.returnValue ? new FormData(form) : null);
    });
  });
}

/** Ends the dialog that it is in. @param {object} [attrs] */
export const cancel = (attrs) => button("Cancel", { onclick: ({ target }) => /** @type {Element} */ (target).closest("dialog")?.close(), attrs });

/** Asks whether something is meant; the focus is on Cancel, or on the button for what is easily undone. @param {string} title @param {(Node | string)[]} body @param {string} words of the button @param {boolean} [easy] */
export const confirmed = (title, body, words, easy = false) => openDialog(title, body, [cancel({ autofocus: !easy }), button(words, { primary: true, attrs: { autofocus: easy } })]);

/** Ends a dialog that only tells something. @param {string} [words] */
export const closing = (words = "Close") => button(words, { primary: true, attrs: { autofocus: true } });

/** Copies a text, if the browser lets the page, and says so. @param {string} text @param {string} done */
export async function copy(text, done) {
  const said = await navigator.clipboard.writeText(text).then(() => done, () => "The browser does not let the page copy: select it instead.");
  toast(said);
  announce(said);
}

const MOST = 3; // lines that go by themselves

/** A line at the bottom that goes by itself, by its style sheet; not while the pointer or the focus is on it. @type {Toast} */
export function toast(words, action, { stays = false } = {}) {
  const home = document.querySelector("dialog[open] .toasts") ?? byId("toasts");
  const element = h("div", {
    class: "toast",
    role: stays && "alert",
    onclick: ({ target, currentTarget }) => target.closest("button") && currentTarget.remove(),
    onanimationend: ({ animationName, currentTarget }) => animationName === "pass" && currentTarget.remove(),
  },
    h("p", { text: words }),
    ...[action ?? []].flat().map(({ words: text, run }) => h("button", { type: "button", class: "toast-act", text, onclick: run })),
    iconButton("close", "Close", () => {}, { class: "toast-close" }),
  );
  home.append(element);
  const passing = home.querySelectorAll(".toast:not([role])");
  for (const one of [...passing].slice(0, Math.max(0, home.childElementCount - MOST))) one.remove();
}

/** The bar that comes up from below when something is picked. @param {string} words what is picked @param {Act[]} acts none: the bar goes away */
export function showDock(words, acts) {
  const home = byId("actions");
  if (!acts.length) return home.replaceChildren();
  const bar = home.querySelector(".dock") ?? h("div", { class: "dock", role: "toolbar", "aria-label": "With what is selected" });
  bar.replaceChildren(h("p", { class: "dock-count", text: words }), ...acts.map(({ words: text, run, ...how }) => button(text, { ...how, onclick: run })));
  if (!bar.isConnected) home.replaceChildren(bar);
}

/** A page with nothing to show says why, and what to do. @param {string} title @param {string} words @param {Node} [more] */
export const emptyState = (title, words, more) => h("section", { class: "empty" }, h("h2", { text: title }), h("p", { text: words }), more && h("p", {}, more));

/** Of several buttons one is pressed. @param {HTMLElement} group @param {string} value */
export function press(group, value) {
  for (const one of group.querySelectorAll("button")) one.ariaPressed = String(one.dataset.value === value);
}

/** What to show: buttons of which one is pressed. @param {string} kind @param {Record<string, string>} words by value @param {string} chosen @param {(value: string) => void} choose @returns {HTMLElement} */
export function chips(kind, words, chosen, choose) {
  const buttons = Object.entries(words).map(([value, text]) => h("button", { type: "button", class: "chip", text, "data-value": value, onclick: () => choose(value) }));
  const group = h("div", { class: kind, role: "group", "aria-label": "Show" }, ...buttons);
  press(group, chosen);
  return group;
}

/** A link that looks like a button. @param {string} text @param {string} href @param {string} [kind] */
export const linkButton = (text, href, kind = "button primary") => h("a", { class: kind, href, text });

/** Fills a place with what the server answers; without an answer it says why, and offers another try. @param {HTMLElement} place @param {() => unknown} fill */
export async function fillIn(place, fill) {
  try {
    await fill();
  } catch (error) {
    if (/** @type {Error} */ (error).name !== "AbortError") place.replaceChildren(errorState(error, () => fillIn(place, fill)));
  }
}

/** @param {any} error @param {() => void} retry */
export function errorState(error, retry) {
  if (error.status === 401) {
    return emptyState("This browser is no longer let in", "The server was started again. Open the address that “unmingle review” printed.");
  }
  if (error.status === 404) return emptyState(error.problem, error.mend, linkButton("All people", "/"));
  const words = error.mend || "The server could not answer. Nothing was changed.";
  return emptyState(error.problem ?? "Something went wrong.", words, button("Try again", { primary: true, onclick: retry }));
}
