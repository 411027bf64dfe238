/** An element, without markup in strings, so that no name of a file or person is ever read as HTML. @type {MakeElement} */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = String(value);
    else if (key === "class") element.className = String(value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One picture of the sprite. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  for (const [key, value] of Object.entries({ class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" })) svg.setAttribute(key, value);
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A button that says its key. @type {MakeButton} */
export function button(words, { key, onclick, primary, class: extra = "", attrs = {} }) {
  const classes = ["button", primary ? "primary" : "", extra].filter(Boolean).join(" ");
  const props = { type: "button", class: classes, onclick, "aria-keyshortcuts": key, ...attrs };
  return h("button", props, h("span", { text: words }), key && h("kbd", { "aria-hidden": "true", text: key }));
}

/** A button that is a picture. @type {(picture: string, words: string, onclick: (event: Event) => void, attrs?: object) => HTMLButtonElement} */
export const iconButton = (picture, words, onclick, attrs = {}) =>
  h("button", { type: "button", class: "tool", "aria-label": words, onclick, ...attrs }, icon(picture));

/** Lays a frame over a box of a picture: left, top, width, height in its pixels. @param {HTMLElement} frame @param {number[]} box @param {{width: number, height: number}} picture */
export function layOver(frame, [left, top, across, down], { width, height }) {
  const shares = { left: left / width, top: top / height, width: across / width, height: down / height };
  for (const [side, share] of Object.entries(shares)) frame.style.setProperty(side, `${100 * share}%`);
  frame.classList.toggle("frame-low", 2 * top + down > height); // its name goes above
}

let counter = 0;

/** An id no other element has. @param {string} stem */
export const freshId = (stem) => `${stem}-${++counter}`;

/** An element that is there. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Says something to screen readers. @param {string} words */
export function announce(words) {
  const live = byId("live");
  live.textContent = live.textContent === words ? `${words} ` : words;
}

/** Runs something once it was not asked for again for so long; `cancel` leaves it. @param {() => void} run @param {number} pause milliseconds */
export function debounced(run, pause) {
  let timer = 0;
  const cancel = () => clearTimeout(timer);
  const ask = () => {
    cancel();
    timer = window.setTimeout(run, pause);
  };
  return Object.assign(ask, { cancel });
}

/** Whether a pointer on this device is a finger. */
export const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** Whether keys are letters of a text now. @param {EventTarget|null} where */
export const typing = (where) => where instanceof HTMLElement && where.matches("input:not([type=checkbox]), textarea, select");
