import { dialogOpen } from "./dialog.js";

/**
 * @typedef {{keys: string[], words: string, run: (event: KeyboardEvent) => void, anywhere?: boolean}} Binding
 * @typedef {{title: string, bindings: Binding[]}} Keymap
 * keys: "n", "Mod+z" (Ctrl or ⌘), "Shift+/", "g p" (one after the other). anywhere: also while a dialog is open.
 */

/** @type {Keymap[]} */ const maps = [];
let prefix = "";
let prefixAt = 0;
const PATIENCE = 1200; // milliseconds between the two keys of a pair

/** @returns {() => void} takes it off again */
export function bind(/** @type {Keymap} */ map) {
  maps.push(map);
  return () => {
    const at = maps.indexOf(map);
    if (at >= 0) maps.splice(at, 1);
  };
}

/** Every keymap that works now: what the sheet of keys shows. */
export const keymaps = () => [...maps];

/** @param {KeyboardEvent} event the key as written in a Binding */
export function keyOf(event) {
  const mod = event.ctrlKey || event.metaKey;
  const name = event.key === " " ? "Space" : event.key;
  const letter = name.length === 1 ? name.toLowerCase() : name;
  const shift = event.shiftKey && (mod || name.length > 1 || /[a-z]/i.test(name));
  return `${mod ? "Mod+" : ""}${shift ? "Shift+" : ""}${letter}`;
}

/** Whether keys are letters of a text now. @param {EventTarget|null} where */
export function typing(where) {
  return where instanceof HTMLElement && where.matches("input:not([type=checkbox]), textarea, select");
}

function heard(/** @type {KeyboardEvent} */ event) {
  if (event.defaultPrevented || event.altKey || event.isComposing || typing(event.target)) return;
  if (["Shift", "Control", "Meta"].includes(event.key)) return;
  const key = keyOf(event);
  // A key that is held down, or pressed on what was decided before, is no command about what is on the page.
  const aside = event.target instanceof Element && event.target.closest(".toasts, .banner");
  if ((event.repeat || aside) && !key.startsWith("Mod+")) return;
  const pair = prefix && Date.now() - prefixAt < PATIENCE ? `${prefix} ${key}` : "";
  prefix = key;
  prefixAt = Date.now();
  const binding = (pair && find(pair)) || find(key);
  if (!binding) return;
  if (isPressOfControl(event, key)) return;
  event.preventDefault();
  prefix = "";
  binding.run(event);
}

/** Space and Enter belong to a focused button or link. @param {KeyboardEvent} event @param {string} key */
function isPressOfControl(event, key) {
  const plain = key === "Space" || key === "Enter";
  return plain && event.target instanceof HTMLElement && event.target.matches("button, a[href], input, summary");
}

/** The newest map comes first. @param {string} key */
function find(key) {
  const modal = dialogOpen();
  for (const map of [...maps].reverse()) {
    for (const binding of map.bindings) {
      if (binding.keys.includes(key) && (!modal || binding.anywhere)) return binding;
    }
  }
  return null;
}

/** Starts to listen. */
export const listen = () => document.addEventListener("keydown", heard);
