import { thumbnail } from "./api.js";
import { baseName, called, counted, debounced, h, icon, iconButton, likely, number, percent, statusWords } from "./dom.js";

/** An empty place for a face. @returns {HTMLImageElement} */
export function faceImage() {
  const settle = (/** @type {string} */ how) => {
    if (image.dataset.face) image.dataset.ready = how;
    if (how === "yes" && !image.src.includes("side=")) inView.observe(image);
  };
  const image = h("img", { class: "thumb", alt: "", draggable: "false", decoding: "async", onload: () => settle("yes"), onerror: () => settle("broken") });
  return image;
}

/** Places for some faces. @param {number[]} faces */
export const faceImages = (faces) => faces.map((face) => showFace(faceImage(), face));

/** Some faces in a square. @param {number[]} faces */
export const mosaic = (faces) => h("div", { class: `question-faces question-faces-${Math.ceil(Math.sqrt(faces.length))}` }, ...faceImages(faces));

// What is on screen, tier 0, loads before what is beyond; what scrolled away before it came is dropped.
/** Shows a face in a place, or nothing. @param {HTMLImageElement} image @param {number|null|undefined} face @param {number} [tier] */
export function showFace(image, face, tier = 0) {
  const wanted = String(face ?? "");
  if ((image.dataset.face ?? "") === wanted) return image;
  inView.unobserve(image);
  image.removeAttribute("src");
  delete image.dataset.face;
  delete image.dataset.ready;
  if (!wanted) return image;
  image.dataset.face = wanted;
  image.fetchPriority = tier ? "low" : "high";
  image.src = thumbnail(Number(face));
  return image;
}

const STORED = 112; // pixels of a face as it is stored
const STEP = 64; // pixels: so that nearly the same size is not cut out twice
const REST = 250; // milliseconds in which nothing came into view

/** Faces in view that may be sharper. @type {Set<any>} */ const blurred = new Set();
const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) blurred[isIntersecting ? "add" : "delete"](target);
  sharpenSoon();
});
const sharpenSoon = debounced(sharpen, REST);
let sharpening = false;

/** Faces that are larger on the screen than they are stored come once more from their pictures, at twice the pixels, one after another. */
async function sharpen() {
  if (sharpening) return;
  sharpening = true;
  for (const image of blurred) {
    blurred.delete(image);
    inView.unobserve(image);
    const { face } = image.dataset;
    const across = Math.max(image.clientWidth, image.clientHeight);
    if (!face || across * devicePixelRatio < 1.1 * STORED) continue;
    const side = Math.min(1024, Math.ceil((across * Math.max(2, devicePixelRatio)) / STEP) * STEP);
    const sharp = Object.assign(new Image(), { src: `${thumbnail(face)}?side=${side}` });
    if (await sharp.decode().then(() => image.dataset.face === face, () => false)) image.src = sharp.src;
  }
  sharpening = false;
}

/** Somebody who may be meant: a button, a link, or where faces are dropped. @param {"a"|"button"|"div"} tag @param {object} props @param {any} one @param {...Node} more */
export const choice = (tag, props, one, ...more) =>
  h(tag, { class: "naming-choice", "data-person": one.person, ...props }, ...faceImages(one.covers), h("span", { text: called(one) }), h("span", { class: "quiet", text: `${percent(one.probability ?? 0)} likely` }), ...more);

const part = (/** @type {Element} */ cell, /** @type {string} */ selector) => /** @type {any} */ (cell.querySelector(selector));
const pickButton = () => iconButton("check", "Select", () => {}, { class: "pick", tabindex: "-1" });

/** What a tile says of its face: whose it is, its flag and the kind of that, and how it is told. @param {any} face */
function flagOf(face) {
  if (face.likely !== undefined) { // one that is like another
    const whose = face.person === null ? statusWords(face.status) : called(face);
    return [whose, likely(face.likely), "", [whose, likely(face.likely) && `${likely(face.likely)} likely`].filter(Boolean).join(", ")];
  }
  if (!face.decided && (face.probability ?? 1) < 0.9) return ["", percent(face.probability), "unsure", `${percent(face.probability)} sure`];
  return face.new ? ["", "new", "fresh", ""] : ["", "", "", ""];
}

/** Leaves a cell without what it shows. @param {HTMLElement} cell */
export function blank(cell) {
  cell.classList.add("pending");
  cell.removeAttribute("aria-label");
  delete cell.dataset.person;
  for (const image of cell.querySelectorAll("img")) showFace(image, null);
}

/** A grid of faces, of a person or left out. A place shows one face, or a file without any. @type {Cells} */
export const FACES = {
  // A file without a face has an id too, below zero, so that it can be selected.
  idOf: (row) => row.face ?? -row.file_id,
  shapes: [{ minWidth: 104, gap: 4, ratio: 1, extra: 0 }, { minWidth: 84, gap: 4, ratio: 1, extra: 0 }],
  create: () => h("div", { class: "tile" }, faceImage(), h("span", { class: "tile-file" }), pickButton(), h("span", { class: "tile-whose" }), h("span", { class: "tile-flag" })),

  fill(tile, face, { tier, selected }) {
    tile.draggable = selected; // others begin a rectangle
    showFace(part(tile, ".thumb"), face.face, tier);
    tile.classList.toggle("no-face", face.face === null);
    const words = face.face === null ? baseName(face.file) : "";
    // Only if it is another one: a double click ends where it began, or it is none.
    if (part(tile, ".tile-file").textContent !== words) part(tile, ".tile-file").replaceChildren(...(words ? [icon("file"), words] : []));
    const [whose, flag, kind, told] = flagOf(face);
    part(tile, ".tile-whose").textContent = whose;
    part(tile, ".tile-flag").textContent = flag;
    part(tile, ".tile-flag").className = `tile-flag ${kind}`;
    const frame = face.frame && `frame ${face.frame}`;
    const label = [baseName(face.file), frame, told, face.decided && "decided by a person", face.new && "new"].filter(Boolean).join(", ");
    tile.setAttribute("aria-label", label);
    return label;
  },
};

/** A grid of people. @type {Cells} */
export const PEOPLE = {
  idOf: (person) => person.person,
  shapes: [{ minWidth: 168, gap: 20, ratio: 0.75, extra: 58 }, { minWidth: 148, gap: 12, ratio: 0.75, extra: 58 }],
  create: () => {
    const covers = h("div", { class: "covers" }, ...[0, 1, 2, 3].map(() => faceImage()));
    const name = h("button", { type: "button", class: "card-name", tabindex: "-1" });
    return h("div", { class: "card", draggable: "true" }, covers, pickButton(), h("div", { class: "card-foot" }, name, h("p", { class: "card-facts" })));
  },

  fill(card, person, { tier }) {
    card.dataset.person = String(person.person);
    for (const [at, image] of card.querySelectorAll("img").entries()) showFace(image, person.covers[at], tier * 2 + (at ? 1 : 0));
    const words = called(person);
    const shown = called({ ...person, name: person.pending ?? person.name });
    const name = part(card, ".card-name");
    if (name.textContent !== shown) name.textContent = shown;
    name.classList.toggle("unnamed", !(person.pending ?? person.name));
    name.setAttribute("aria-label", `${words}: change the name`);
    const facts = [
      { class: "faces-count", text: counted(person.faces, "face") },
      { class: "badge badge-new", text: person.new && `${number(person.new)} new`, title: `${counted(person.new, "face")} new since the last run` },
      { class: "badge", text: person.unsure && `${number(person.unsure)} unsure`, title: `${counted(person.unsure, "face")} that may not belong here` },
    ].filter(({ text }) => text);
    part(card, ".card-facts").replaceChildren(...facts.map((fact) => h("span", fact)));
    const label = [words, ...facts.map(({ text }) => text), person.ignored && "ignored", person.pending && `being named ${person.pending}`];
    card.setAttribute("aria-label", label.filter(Boolean).join(", "));
    card.classList.toggle("ignored", person.ignored);
    return words;
  },
};
