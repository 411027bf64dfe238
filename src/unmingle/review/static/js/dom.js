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
  element.append(.../** @type {Node[]} */ (children.filter(Boolean)));
  return element;
}

/** Words beside each other, those that there are. @param {(string|number|false|null|undefined)[]} texts @returns {HTMLElement[]} */
export const spans = (...texts) => texts.filter(Boolean).map((text) => h("span", { text }));

const ICONS = new URL("../icons.svg", import.meta.url).pathname;

/** One picture of the sprite. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  for (const [key, value] of Object.entries({ class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" })) svg.setAttribute(key, value);
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/** A button that says its key; with nothing to do by itself, it ends the dialog that it is in. @type {MakeButton} */
export function button(words, { key, onclick, primary, class: extra = "", attrs = {} }) {
  const classes = ["button", primary ? "primary" : "", extra].filter(Boolean).join(" ");
  const props = { type: onclick ? "button" : "submit", value: onclick ? null : "yes", class: classes, onclick, "aria-keyshortcuts": key, ...attrs };
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

/** An element that is there. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** An element that may be there. @param {ParentNode} root @param {string} selector @returns {HTMLElement|null} */
export const partOf = (root, selector) => root.querySelector(selector);

/** Says something to screen readers. @param {string} words */
export function announce(words) {
  const live = byId("live");
  live.textContent = live.textContent === words ? `${words} ` : words;
}

/** Runs something once it was not asked for again for so long. @param {() => void} run @param {number} pause milliseconds */
export function debounced(run, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(run, pause);
  };
}

/** Whether a pointer on this device is a finger. */
export const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** Whether keys are letters of a text now. @param {EventTarget|null} where */
export const typing = (where) => where instanceof HTMLElement && where.matches("input:not([type=checkbox]), textarea, select");

const NUMBER = new Intl.NumberFormat("en");
const PERCENT = new Intl.NumberFormat("en", { style: "percent" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

/** 12345 → "12,345". @param {number} n */
export const number = (n) => NUMBER.format(n);

/** 0.674 → "67%". @param {number} share */
export const percent = (share) => PERCENT.format(share);

/** A probability that somebody is meant, or nothing where it is not known. @param {number|null|undefined} chance */
export const likely = (chance) => (chance === null || chance === undefined ? "" : chance < 0.01 ? "<1%" : percent(chance));

/** 1 → "1 face", 1200 → "1,200 faces". @param {number} n @param {string} one @param {string} [many] */
export const counted = (n, one, many = one === "person" ? "people" : `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** What a person is called. @param {{person: number|null, name?: string|null}} record */
export const called = (record) => record.name || (record.person === null ? "Nobody yet" : `Person ${record.person}`);

/** "14:05" of a UTC time. @param {string} iso */
export const clock = (iso) => CLOCK.format(new Date(iso));

/** "Today", "Yesterday" or "3 March 2026". @param {string} iso */
export function day(iso) {
  const midnight = (/** @type {Date} */ date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const then = new Date(iso);
  const days = Math.round((midnight(new Date()) - midnight(then)) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : DAY.format(then);
}

/** A time in a recording: 75.25 → "1:15", with one digit "1:15.2"; from an hour on "1:00:00". @param {number} seconds @param {number} [digits] */
export function timecode(seconds, digits = 0) {
  const cut = Math.floor(seconds * 10 ** digits + 1e-6) / 10 ** digits; // as clocks do; 0.3 may be stored as 0.29999
  const [hours, minutes] = [Math.floor(cut / 3600), Math.floor(cut / 60) % 60];
  const rest = (cut % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** The last part of a path, which is what people look at. @param {string} path */
export const baseName = (path) => path.split("/").pop() ?? path;

const STATUS = /** @type {Record<string, string>} */ ({
  alone: "Seen once",
  not_a_face: "Not a face",
  masked: "Masked",
  low_quality: "Hard to tell",
  ignored: "Ignored",
  unreadable: "Unreadable",
  clustered: "With a person",
});

/** A status in words. @param {string} status */
export const statusWords = (status) => STATUS[status] ?? status.replaceAll("_", " ");
