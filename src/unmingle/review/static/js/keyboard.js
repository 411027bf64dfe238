import { typing } from "./dom.js";

/** Every keymap that works now, the newest last. @type {{title: string, bindings: Binding[]}[]} */ export const keymaps = [];
let prefix = "";
let prefixAt = 0;
const PATIENCE = 3000; // milliseconds between the two keys of a pair, however late a busy page gets them
const HELD = 250; // milliseconds after which Space is held, not pressed
// The face that Space is held about: below the pointer, or else that of the cell with the focus, or the first asked about.
const AT_HAND = ".thumb[data-face]:hover, .tile:hover .thumb[data-face]";
const NEXT = "[role=gridcell]:focus .thumb[data-face], .question .thumb[data-face]";
/** @type {(() => void)|null} what happens once Space is let go */ let release = null;
let timer = 0;
/** @type {(face: number) => () => void} */ let whileHeld = () => () => {};

/** What is done with a face while Space is held; it returns what ends it. @param {(face: number) => () => void} show */
export const onHold = (show) => (whileHeld = show);

/** @param {string} title @param {Binding[]} bindings @param {AbortSignal} [signal] takes it off again */
export function bind(title, bindings, signal) {
  const map = { title, bindings };
  keymaps.push(map);
  signal?.addEventListener("abort", () => keymaps.splice(keymaps.indexOf(map), 1));
}

/** The key as written in a Binding. @param {KeyboardEvent} event */
export function keyOf(event) {
  const mod = event.ctrlKey || event.metaKey;
  const name = event.key === " " ? "Space" : event.key;
  const shift = event.shiftKey && (mod || name.length > 1 || /[a-z]/i.test(name));
  return `${mod ? "Mod+" : ""}${shift ? "Shift+" : ""}${name.length === 1 ? name.toLowerCase() : name}`;
}

/** The newest map comes first. @param {string} key */
function find(key) {
  const modal = document.querySelector("dialog[open]");
  return keymaps.flatMap(({ bindings }) => bindings.toReversed()).findLast(({ keys, anywhere }) => keys.includes(key) && (!modal || anywhere));
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.isComposing || typing(event.target)) return;
  if (["Shift", "Control", "Meta"].includes(event.key)) return;
  const key = keyOf(event);
  const on = event.target instanceof Element ? event.target : document.body;
  // A key that is held down, or pressed on what was decided before, is no command about what is on the page.
  if ((event.repeat || on.closest(".toasts, .banner")) && !key.startsWith("Mod+")) return;
  const pair = prefix && event.timeStamp - prefixAt < PATIENCE ? `${prefix} ${key}` : "";
  prefix = key;
  prefixAt = event.timeStamp;
  const binding = (pair && find(pair)) || find(key);
  // Space and Enter belong to a focused button or link.
  if (!binding || (["Space", "Enter"].includes(key) && on.matches("button, a[href], input, summary"))) return;
  event.preventDefault();
  prefix = "";
  const thumb = key === "Space" ? document.querySelector(AT_HAND) ?? document.querySelector(NEXT) : null;
  if (!thumb) return binding.run(event);
  const face = Number(/** @type {HTMLElement} */ (thumb).dataset.face);
  release = () => binding.run(event);
  timer = window.setTimeout(() => (release = whileHeld(face)), HELD);
  return undefined;
});
document.addEventListener("keydown", (event) => event.key === " " && release && event.preventDefault(), true); // held: the page stays where it is
const letGo = () => {
  clearTimeout(timer);
  const then = release;
  release = null;
  then?.();
};
document.addEventListener("keyup", (event) => event.key === " " && letGo());
addEventListener("blur", letGo);
