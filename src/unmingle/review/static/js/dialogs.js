import { announce, button, byId, freshId, h, iconButton } from "./dom.js";
import { overlay } from "./router.js";

/** A modal dialog around anything. The browser's own <dialog> keeps the focus inside and gives it back. @type {OpenDialog} */
export function openDialog(title, parts, kind = "") {
  /** @type {any} */ let result = null;
  const close = (/** @type {any} */ value = null) => {
    result = value;
    if (element.open) element.close();
  };
  const { body, foot } = parts(close);
  const id = freshId("title");
  /** @type {HTMLDialogElement} */
  const element = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id },
    h("h2", { id, text: title }),
    h("div", { class: "dialog-body" }, ...body),
    h("div", { class: "dialog-foot" }, ...foot),
  );
  const closed = overlay(() => element.close());
  element.addEventListener("pointerdown", ({ target, clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    if (target === element && (x < left || x > right || y < top || y > bottom)) close();
  });
  document.body.append(element);
  element.showModal();
  return new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      closed();
      resolve(result);
    });
  });
}

/** Asks whether something is meant; the focus is on Cancel, or on the button for what is easily undone. @param {string} title @param {(Node | string)[]} body @param {string} words of the button @param {boolean} [easy] @returns {Promise<true|null>} */
export const confirmed = (title, body, words, easy = false) => openDialog(title, (close) => ({
  body,
  foot: [button("Cancel", { onclick: () => close(), attrs: { autofocus: !easy } }), button(words, { primary: true, onclick: () => close(true), attrs: { autofocus: easy } })],
}));

/** Copies a text, if the browser lets the page, and says so. @param {string} text @param {string} done */
export async function copy(text, done) {
  const said = await navigator.clipboard.writeText(text).then(() => done, () => "The browser does not let the page copy: select it instead.");
  toast(said);
  announce(said);
}

const SHOWN = 8000; // milliseconds
const MOST = 3;

/** A line at the bottom that goes by itself; not while the pointer or the focus is on it. @type {Toast} */
export function toast(words, action, { stays = false } = {}) {
  const home = document.querySelector("dialog[open] .toasts") ?? byId("toasts");
  let timer = 0;
  const leave = () => {
    clearTimeout(timer);
    element.remove();
  };
  const start = () => {
    if (!stays) timer = window.setTimeout(leave, SHOWN);
  };
  const hold = () => clearTimeout(timer);
  const element = h("div", { class: "toast", role: stays && "alert", onpointerenter: hold, onpointerleave: start, onfocusin: hold, onfocusout: start },
    h("p", { text: words }),
    ...[action ?? []].flat().map(({ words: text, run }) => {
      const act = () => {
        leave();
        run();
      };
      return h("button", { type: "button", class: "toast-act", text, onclick: act });
    }),
    iconButton("close", "Close", leave, { class: "toast-close" }),
  );
  home.append(element);
  const passing = [...home.children].filter((one) => one.getAttribute("role") !== "alert");
  for (const one of passing.slice(0, Math.max(0, home.childElementCount - MOST))) one.remove();
  start();
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

/** What to show: buttons of which one is pressed. @param {string} kind @param {Record<string, string>} words by value @param {string} chosen @param {(value: string) => void} choose */
export function chips(kind, words, chosen, choose) {
  const buttons = Object.entries(words).map(([value, text]) => h("button", { type: "button", class: "chip", text, "data-value": value, onclick: () => press(value) }));
  const show = (/** @type {string} */ now) => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.value === now));
  };
  const press = (/** @type {string} */ value) => {
    show(value);
    choose(value);
  };
  show(chosen);
  return { element: h("div", { class: kind, role: "group", "aria-label": "Show" }, ...buttons), press };
}

/** A link that looks like a button. @param {string} text @param {string} href @param {string} [kind] */
export const linkButton = (text, href, kind = "button primary") => h("a", { class: kind, href, text });

/** @param {any} error @param {() => void} retry */
export function errorState(error, retry) {
  if (error.status === 401) {
    return emptyState("This browser is no longer let in", "The server was started again. Open the address that “unmingle review” printed.");
  }
  const words = error.mend || "The server could not answer. Nothing was changed.";
  return emptyState(error.problem ?? "Something went wrong.", words, button("Try again", { primary: true, onclick: retry }));
}
