import { freshId, h } from "./dom.js";
import { called, counted, percent } from "./format.js";
import { faceImage, showFace } from "./thumbs.js";

/**
 * @typedef {{person: number, name: string, faces: number, covers: number[], probability?: number|null}} Known
 */

/**
 * A list of people below a text field, filtered by what is typed: an ARIA combobox. Nobody is marked until somebody
 * marks them.
 * @param {{input: HTMLInputElement, find: (text: string) => Promise<Known[]>, pick: (person: Known) => void, label: string,
 *   only?: boolean}} options only: who is the only one left of what was typed is marked
 */
export function suggestions({ input, find, pick, label, only = false }) {
  const id = freshId("suggestions");
  const list = h("ul", { class: "suggestions", role: "listbox", id, "aria-label": label });
  for (const [key, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false", autocomplete: "off" })) {
    input.setAttribute(key, value);
  }
  /** @type {Known[]} */ let known = [];
  let marked = -1;
  let wave = 0;
  /** @type {string|null} the text that the list on show belongs to */
  let shownFor = null;

  const mark = (/** @type {number} */ index) => {
    marked = known.length ? (index + known.length + 1) % (known.length + 1) : -1;
    if (marked === known.length) marked = -1;
    for (const [at, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(at === marked));
      if (at === marked) option.scrollIntoView({ block: "nearest" });
    }
    if (marked >= 0) input.setAttribute("aria-activedescendant", `${id}-${marked}`);
    else input.removeAttribute("aria-activedescendant");
  };

  /** Whoever was marked stays so while the text is the same: Enter means the person that was on show. */
  const refresh = async () => {
    wave += 1;
    const mine = wave;
    const text = input.value.trim();
    const found = await find(text).catch(() => []);
    if (mine !== wave || !input.isConnected) return;
    const kept = text === shownFor ? known[marked]?.person : undefined;
    shownFor = text;
    known = found;
    list.replaceChildren(...known.map((person, at) => option(person, `${id}-${at}`, () => pick(person))));
    for (const [at, image] of [...list.querySelectorAll("img")].entries()) showFace(image, known[at].covers[0]);
    list.hidden = !known.length;
    input.setAttribute("aria-expanded", String(known.length > 0));
    const at = kept === undefined ? -1 : known.findIndex(({ person }) => person === kept);
    mark(at < 0 && only && text && known.length === 1 ? 0 : at);
  };

  input.addEventListener("input", refresh);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(marked < 0 ? known.length - 1 : marked - 1);
    else return;
    event.preventDefault();
  });
  list.hidden = true;
  return {
    list,
    refresh,
    marked: () => known[marked] ?? null,
    empty: () => !known.length,
    /** Who is called so, as far as the list tells. @param {string} name */
    namesake: (name) => namesake(known, name),
    /** Whether the list is the one for what is typed now. */
    fresh: () => shownFor === input.value.trim(),
  };
}

/** @param {Known[]} known @param {string} name */
export const namesake = (known, name) => known.find((other) => called(other).localeCompare(name, undefined, { sensitivity: "base" }) === 0) ?? null;

function option(/** @type {Known} */ person, /** @type {string} */ id, /** @type {() => void} */ onclick) {
  const props = { role: "option", id, "aria-selected": "false", onclick, onpointerdown: (/** @type {Event} */ event) => event.preventDefault() };
  return h("li", props, faceImage(), h("span", { class: "option-name", text: called(person) }), h("span", { class: "option-count", text: [counted(person.faces, "face"), likely(person.probability)].filter(Boolean).join(", ") }));
}

/** @param {number|null|undefined} chance */
const likely = (chance) => (chance === null || chance === undefined ? "" : chance < 0.01 ? "under 1% likely" : `${percent(chance)} likely`);
