import { get } from "./api.js";
import { ask, openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { called, counted } from "./format.js";
import { suggestions } from "./suggestions.js";
import { faceImage, showFace } from "./thumbs.js";

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

/**
 * Asks before one person becomes part of another.
 * @param {any} person @param {any} other whose name stays
 * @returns {Promise<boolean>}
 */
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

/**
 * Which of several names stays; none is chosen beforehand.
 * @param {any[]} people
 * @returns {Promise<number|null>} the person that the others become part of
 */
export async function askWhichName(people) {
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
