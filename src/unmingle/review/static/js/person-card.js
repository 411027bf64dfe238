import { h, icon } from "./dom.js";
import { called, counted, number } from "./format.js";
import { faceImage, forget, showFace } from "./thumbs.js";

/** A card of the wall, empty. The parts are found again by their classes. */
export function createCard() {
  const covers = h("div", { class: "covers" }, ...[0, 1, 2, 3].map(() => faceImage()));
  const pick = h("button", { type: "button", class: "pick", tabindex: "-1", "aria-label": "Select" }, icon("check"));
  const name = h("button", { type: "button", class: "card-name", tabindex: "-1" });
  const facts = h("p", { class: "card-facts" });
  return h("div", { class: "card" }, covers, pick, h("div", { class: "card-foot" }, name, facts));
}

/**
 * @param {HTMLElement} card
 * @param {any} person a record of /api/people, or undefined while it is on its way
 * @param {{tier: number, selected: boolean}} how
 */
export function fillCard(card, person, { tier, selected }) {
  card.classList.toggle("pending", !person);
  card.setAttribute("aria-selected", String(selected));
  if (!person) return clearCard(card);
  card.dataset.person = String(person.person);
  const images = /** @type {HTMLImageElement[]} */ ([...card.querySelectorAll("img.thumb")]);
  for (const [at, image] of images.entries()) showFace(image, person.covers[at], tier * 2 + (at ? 1 : 0));
  const words = called(person);
  const name = part(card, ".card-name");
  if (name.textContent !== words) name.textContent = words;
  name.classList.toggle("unnamed", !person.name);
  name.setAttribute("aria-label", `${words}: change the name`);
  part(card, ".pick").setAttribute("aria-label", selected ? `Unselect ${words}` : `Select ${words}`);
  part(card, ".card-facts").replaceChildren(...factsOf(person));
  card.setAttribute("aria-label", labelOf(person, words));
  card.classList.toggle("ignored", person.ignored);
  return undefined;
}

export function clearCard(/** @type {HTMLElement} */ card) {
  for (const image of card.querySelectorAll("img.thumb")) forget(/** @type {HTMLImageElement} */ (image));
  delete card.dataset.person;
  part(card, ".card-name").textContent = "";
  part(card, ".card-facts").replaceChildren();
  card.removeAttribute("aria-label");
}

/** @param {HTMLElement} card @param {string} selector @returns {HTMLElement} */
const part = (card, selector) => /** @type {HTMLElement} */ (card.querySelector(selector));

function factsOf(/** @type {any} */ person) {
  const facts = [h("span", { class: "faces-count", text: counted(person.faces, "face") })];
  if (person.new) facts.push(h("span", { class: "badge badge-new", title: `${counted(person.new, "face")} new since the last run`, text: `${number(person.new)} new` }));
  if (person.unsure) facts.push(h("span", { class: "badge", title: `${counted(person.unsure, "face")} that may not belong here`, text: `${number(person.unsure)} unsure` }));
  return facts;
}

function labelOf(/** @type {any} */ person, /** @type {string} */ words) {
  const parts = [words, counted(person.faces, "face")];
  if (person.new) parts.push(`${person.new} new`);
  if (person.unsure) parts.push(`${person.unsure} unsure`);
  if (person.ignored) parts.push("ignored");
  return parts.join(", ");
}
