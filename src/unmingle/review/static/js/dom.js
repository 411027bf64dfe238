/**
 * Elements without markup in strings, so that no name of a file or person is ever read as HTML.
 * @param {string} tag
 * @param {Record<string, unknown>} [props] attributes; `class`, `text`, and handlers such as `onclick` too
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {any} the element
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) put(element, key, value);
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

function put(/** @type {HTMLElement} */ element, /** @type {string} */ key, /** @type {unknown} */ value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "text") element.textContent = String(value);
  else if (key === "class") element.className = String(value);
  else if (key.startsWith("on")) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
  else element.setAttribute(key, value === true ? "" : String(value));
}

const SVG = "http://www.w3.org/2000/svg";

/** One picture of the sprite. @param {string} name @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * A button that says its key.
 * @param {string} words
 * @param {{key?: string, onclick: (event: Event) => void, primary?: boolean, icon?: string, class?: string, attrs?: object}} options
 */
export function button(words, { key, onclick, primary, icon: picture, class: extra = "", attrs = {} }) {
  const classes = ["button", primary ? "primary" : "", extra].filter(Boolean).join(" ");
  const cap = key ? h("kbd", { "aria-hidden": "true", text: key }) : null;
  const props = { type: "button", class: classes, onclick, "aria-keyshortcuts": key ?? null, ...attrs };
  return h("button", props, picture ? icon(picture) : null, h("span", { text: words }), cap);
}

let counter = 0;

/** An id no other element has. @param {string} stem */
export function freshId(stem) {
  counter += 1;
  return `${stem}-${counter}`;
}

/** Says something to screen readers. @param {string} words */
export function announce(words) {
  const live = document.getElementById("live");
  if (live) live.textContent = live.textContent === words ? `${words} ` : words;
}

/** Whether a pointer on this device is a finger. */
export const isTouch = () => matchMedia("(pointer: coarse)").matches;
