import { decide } from "./actions.js";
import { get } from "./api.js";
import { ask, openDialog } from "./dialog.js";
import { button, freshId, h } from "./dom.js";
import { called, counted, percent } from "./format.js";
import { faceImage, showFace } from "./thumbs.js";

/** @typedef {{person: number, name: string, faces: number, covers: number[], probability?: number|null}} Known */

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
  /** @type {string|null} the text that the list on show belongs to */ let shownFor = null;

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

/** A few faces of a person with the name below. @param {any} person */
function portrait(person) {
  const images = person.covers.slice(0, 4).map(() => faceImage());
  const figure = h("figure", { class: "portrait" },
    h("div", { class: "portrait-faces" }, ...images),
    h("figcaption", {}, h("strong", { text: called(person) }), h("span", { text: counted(person.faces, "face") })),
  );
  queueMicrotask(() => {
    for (const [at, image] of images.entries()) showFace(image, person.covers[at]);
  });
  return figure;
}

/** Asks before one person becomes part of another. @param {any} person @param {any} other whose name stays @returns {Promise<boolean>} */
export async function askMerge(person, other) {
  const answer = await ask({
    title: `Merge with ${called(other)}?`,
    body: [h("div", { class: "pair" }, portrait(person), h("span", { class: "pair-sign", "aria-hidden": "true", text: "+" }), portrait(other))],
    choices: [
      { words: "Cancel", value: null, focus: true },
      { words: `Merge into ${called(other)}`, value: "yes", primary: true, focus: false },
    ],
  });
  return answer === "yes";
}

/** Which of several names stays; none is chosen beforehand. @returns {Promise<number|null>} the person that the others become part of */
export async function askWhichName(/** @type {any[]} */ people) {
  const group = people.map((person) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "stays", value: person.person }),
      portrait(person),
    ),
  );
  const form = h("div", { class: "choices", role: "radiogroup", "aria-label": "The name that stays" }, ...group);
  /** @type {(value?: string|null) => void} */ let close = () => {};
  const accept = () => {
    const chosen = form.querySelector("input:checked");
    if (chosen) close(chosen.value);
  };
  form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") accept();
  });
  const merge = button("Merge", { primary: true, onclick: accept, attrs: { disabled: true } });
  form.addEventListener("change", () => merge.removeAttribute("disabled"));
  const dialog = openDialog({
    title: `Merge ${people.length} people: which name stays?`,
    body: [form],
    foot: [button("Cancel", { onclick: () => close() }), merge],
  });
  close = dialog.close;
  const answer = await dialog.closed;
  return answer === null ? null : Number(answer);
}

/**
 * Asks for a person, the most alike first; nobody is chosen beforehand.
 * @param {{title: string, person?: number, faces?: number[], allowNew?: boolean}} options person: who is not asked for;
 * faces: of whom, if not of that person
 * @returns {Promise<{person: number}|{name: string}|null>} name: a new person, called so (or not at all, if empty)
 */
export async function askPerson({ title, person, faces = [], allowNew = false }) {
  /** @type {any} */ let result = null;
  /** @type {(value?: string|null) => void} */ let close = () => {};
  const finish = (/** @type {any} */ value) => {
    result = value;
    close();
  };
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "field", type: "search", "aria-label": "Search for a person", placeholder: "Type a name", autofocus: true, spellcheck: "false" }));
  const find = async (/** @type {string} */ text) => (await get("/alike", { search: text, person, faces: faces.slice(0, 100) })).people;
  const list = suggestions({ input, find, pick: (other) => finish({ person: other.person }), label: "People", only: true });
  const fresh = button("New person", { onclick: () => finish({ name: input.value.trim() }) });
  const words = () => {
    const name = input.value.trim();
    /** @type {HTMLElement} */ (fresh.querySelector("span")).textContent = name ? `New person “${name}”` : "New person";
  };
  input.addEventListener("input", words);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (event.repeat || event.isComposing) return;
    const chosen = list.marked();
    if (chosen) return finish({ person: chosen.person });
    const name = input.value.trim();
    if (!name) return;
    // The list may come later than the key: only who is called exactly so can be meant.
    list.refresh().then(() => {
      const other = list.namesake(name);
      if (other) finish({ person: other.person });
      else if (allowNew && list.empty()) finish({ name });
    });
  });
  list.list.classList.add("suggestions-open");
  const nothing = h("p", { class: "quiet nothing", text: "Nobody is called that." });
  const foot = [button("Cancel", { onclick: () => close() })];
  if (allowNew) foot.push(fresh);
  const dialog = openDialog({ title, body: [input, list.list, nothing], foot, class: "dialog-people" });
  close = dialog.close;
  list.refresh();
  await dialog.closed;
  return result;
}

/**
 * Asks whose some faces are, and says so.
 * @param {{title: string, person?: number, faces: number[], seen: number|null}} about person: who they are not
 * @returns {Promise<import("./session.js").Outcome|null>}
 */
export async function moveFaces({ title, person, faces, seen }) {
  const where = await askPerson({ title, person, faces, allowNew: true });
  if (!where) return null;
  if ("person" in where) return decide({ kind: "assign", faces, person: where.person }, { seen });
  const made = await decide({ kind: "split", faces }, { seen });
  if (made && where.name) await decide({ kind: "name", person: made.decision.person, name: where.name }, { seen: made.revision });
  return made;
}
