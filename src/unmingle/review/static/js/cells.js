import { h, icon } from "./dom.js";
import { baseName, called, counted, number, percent } from "./format.js";
import { faceImage, forget, showFace } from "./thumbs.js";

/** A place for one face, or for a file without any. */
function createTile() {
  const pick = h("button", { type: "button", class: "pick", tabindex: "-1", "aria-label": "Select" }, icon("check"));
  return h("div", { class: "tile" }, faceImage(), h("span", { class: "tile-file" }), pick, h("span", { class: "tile-flag" }));
}

/** @param {HTMLElement} tile @param {any} face a record of a person's faces or of what was left out @param {{tier: number, selected: boolean}} how */
function fillTile(tile, face, { tier, selected }) {
  tile.classList.toggle("pending", !face);
  tile.setAttribute("aria-selected", String(selected));
  if (!face) return clearTile(tile);
  const image = /** @type {HTMLImageElement} */ (tile.querySelector("img.thumb"));
  showFace(image, face.face, tier);
  tile.classList.toggle("no-face", face.face === null);
  const file = part(tile, ".tile-file");
  const words = face.face === null ? baseName(face.file) : "";
  // Only if it is another one: a double click ends where it began, or it is none.
  if (file.textContent !== words) file.replaceChildren(...(words ? [icon("file"), words] : []));
  const unsure = isUnsure(face);
  const flag = part(tile, ".tile-flag");
  flag.textContent = unsure ? percent(face.probability) : face.new ? "new" : "";
  flag.className = `tile-flag${unsure ? " unsure" : face.new ? " fresh" : ""}`;
  const label = labelOf(face, unsure);
  tile.setAttribute("aria-label", label);
  part(tile, ".pick").setAttribute("aria-label", `${selected ? "Unselect" : "Select"} ${label}`);
  return undefined;
}

function clearTile(/** @type {HTMLElement} */ tile) {
  forget(/** @type {HTMLImageElement} */ (tile.querySelector("img.thumb")));
  part(tile, ".tile-file").replaceChildren();
  part(tile, ".tile-flag").textContent = "";
  tile.removeAttribute("aria-label");
  tile.classList.remove("no-face");
}

const isUnsure = (/** @type {any} */ face) => !face.decided && face.probability !== null && face.probability !== undefined && face.probability < 0.9;

/** @param {HTMLElement} tile @param {string} selector @returns {HTMLElement} */
const part = (tile, selector) => /** @type {HTMLElement} */ (tile.querySelector(selector));

function labelOf(/** @type {any} */ face, /** @type {boolean} */ unsure) {
  const parts = [baseName(face.file)];
  if (face.frame) parts.push(`frame ${face.frame}`);
  if (unsure) parts.push(`${percent(face.probability)} sure`);
  if (face.decided) parts.push("decided by a person");
  if (face.new) parts.push("new");
  return parts.join(", ");
}

/** How a grid of faces is made: see `listGrid`. */
export const FACES = {
  shapes: [{ minWidth: 104, gap: 4, ratio: 1, extra: 0 }, { minWidth: 84, gap: 4, ratio: 1, extra: 0 }],
  cell: { create: createTile, clear: clearTile, fill: fillTile },
};

/** A card of the wall, empty. The parts are found again by their classes. */
function createCard() {
  const covers = h("div", { class: "covers" }, ...[0, 1, 2, 3].map(() => faceImage()));
  const pick = h("button", { type: "button", class: "pick", tabindex: "-1", "aria-label": "Select" }, icon("check"));
  const name = h("button", { type: "button", class: "card-name", tabindex: "-1" });
  const facts = h("p", { class: "card-facts" });
  return h("div", { class: "card" }, covers, pick, h("div", { class: "card-foot" }, name, facts));
}

/** @param {HTMLElement} card @param {any} person a record of /api/people, or undefined while it is on its way @param {{tier: number, selected: boolean}} how */
function fillCard(card, person, { tier, selected }) {
  card.classList.toggle("pending", !person);
  card.setAttribute("aria-selected", String(selected));
  if (!person) return clearCard(card);
  card.dataset.person = String(person.person);
  const images = /** @type {HTMLImageElement[]} */ ([...card.querySelectorAll("img.thumb")]);
  for (const [at, image] of images.entries()) showFace(image, person.covers[at], tier * 2 + (at ? 1 : 0));
  const words = called(person);
  const shown = called({ ...person, name: person.pending ?? person.name });
  const name = part(card, ".card-name");
  if (name.textContent !== shown) name.textContent = shown;
  name.classList.toggle("unnamed", !(person.pending ?? person.name));
  name.setAttribute("aria-label", `${words}: change the name`);
  part(card, ".pick").setAttribute("aria-label", selected ? `Unselect ${words}` : `Select ${words}`);
  part(card, ".card-facts").replaceChildren(...factsOf(person));
  card.setAttribute("aria-label", personLabel(person, words));
  card.classList.toggle("ignored", person.ignored);
  return undefined;
}

function clearCard(/** @type {HTMLElement} */ card) {
  for (const image of card.querySelectorAll("img.thumb")) forget(/** @type {HTMLImageElement} */ (image));
  delete card.dataset.person;
  part(card, ".card-name").textContent = "";
  part(card, ".card-facts").replaceChildren();
  card.removeAttribute("aria-label");
}

function factsOf(/** @type {any} */ person) {
  const facts = [h("span", { class: "faces-count", text: counted(person.faces, "face") })];
  if (person.new) facts.push(h("span", { class: "badge badge-new", title: `${counted(person.new, "face")} new since the last run`, text: `${number(person.new)} new` }));
  if (person.unsure) facts.push(h("span", { class: "badge", title: `${counted(person.unsure, "face")} that may not belong here`, text: `${number(person.unsure)} unsure` }));
  return facts;
}

function personLabel(/** @type {any} */ person, /** @type {string} */ words) {
  const parts = [words, counted(person.faces, "face")];
  if (person.new) parts.push(`${person.new} new`);
  if (person.unsure) parts.push(`${person.unsure} unsure`);
  if (person.ignored) parts.push("ignored");
  if (person.pending) parts.push(`being named ${person.pending}`);
  return parts.join(", ");
}

/** How a grid of people is made: see `listGrid`. */
export const PEOPLE = {
  shapes: [{ minWidth: 168, gap: 20, ratio: 0.75, extra: 58 }, { minWidth: 148, gap: 12, ratio: 0.75, extra: 58 }],
  cell: { create: createCard, clear: clearCard, fill: fillCard },
};
