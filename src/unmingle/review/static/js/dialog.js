import { button, freshId, h } from "./dom.js";
import { overlay } from "./router.js";

/** @typedef {{words: string, value: string|null, primary?: boolean, focus?: boolean}} Choice focus: what Enter means; the primary one if left out */

/**
 * A modal dialog around anything. The browser's own <dialog> keeps the focus inside and gives it back.
 * @param {{title: string, body: (Node|string)[], foot?: Node[], class?: string}} parts
 * @returns {{element: HTMLDialogElement, close: (value?: string|null) => void, closed: Promise<string|null>}}
 */
export function openDialog({ title, body, foot = [], class: extra = "" }) {
  const id = freshId("title");
  /** @type {HTMLDialogElement} */
  const element = h(
    "dialog",
    { class: `dialog ${extra}`, "aria-labelledby": id },
    h("h2", { id, text: title }),
    h("div", { class: "dialog-body" }, ...body),
    foot.length ? h("div", { class: "dialog-foot" }, ...foot) : null,
  );
  /** @type {string|null} */ let result = null;
  const before = /** @type {HTMLElement|null} */ (document.activeElement);
  const taken = overlay(() => element.close());
  const closed = /** @type {Promise<string|null>} */ (
    new Promise((resolve) => {
      element.addEventListener("close", () => {
        element.remove();
        taken();
        if (before?.isConnected) before.focus({ preventScroll: true });
        resolve(result);
      });
    })
  );
  const close = (/** @type {string|null} */ value = null) => {
    result = value;
    if (element.open) element.close();
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.target === element && outside(element, event)) close();
  });
  document.body.append(element);
  element.showModal();
  return { element, close, closed };
}

function outside(/** @type {HTMLElement} */ element, /** @type {PointerEvent} */ event) {
  const box = element.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

/**
 * A question with a few answers.
 * @param {{title: string, body: (Node|string)[], choices: Choice[], class?: string}} parts
 * @returns {Promise<string|null>} null: closed without one
 */
export function ask({ title, body, choices, class: extra }) {
  /** @type {(value: string|null) => void} */ let close = () => {};
  const foot = choices.map((choice) =>
    button(choice.words, {
      primary: choice.primary,
      onclick: () => close(choice.value),
      attrs: { autofocus: choice.focus ?? choice.primary ?? false },
    }),
  );
  const dialog = openDialog({ title, body, foot, class: extra });
  close = dialog.close;
  return dialog.closed;
}

/** Whether a dialog is open now. */
export const dialogOpen = () => document.querySelector("dialog[open]") !== null;
