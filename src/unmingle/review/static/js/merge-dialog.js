import { ask, openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { called, counted } from "./format.js";
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
      { words: "Cancel", value: null },
      { words: `Merge into ${called(other)}`, value: "yes", primary: true },
    ],
  });
  return answer === "yes";
}

/**
 * Which of several names stays.
 * @param {any[]} people
 * @returns {Promise<number|null>} the person that the others become part of
 */
export async function askWhichName(people) {
  const group = people.map((person, at) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "stays", value: person.person, checked: at === 0 }),
      portrait(person),
    ),
  );
  const form = h("div", { class: "choices", role: "radiogroup", "aria-label": "The name that stays" }, ...group);
  /** @type {(value?: string|null) => void} */
  let close = () => {};
  const accept = () => close(form.querySelector("input:checked").value);
  form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") accept();
  });
  const dialog = openDialog({
    title: `Merge ${people.length} people: which name stays?`,
    body: [form],
    foot: [button("Cancel", { onclick: () => close() }), button("Merge", { primary: true, onclick: accept })],
  });
  close = dialog.close;
  const answer = await dialog.closed;
  return answer === null ? null : Number(answer);
}
