import { h, icon } from "./dom.js";
import { baseName, percent } from "./format.js";
import { faceImage, forget, showFace } from "./thumbs.js";

/** A place for one face, or for a file without any. */
function createTile() {
  const pick = h("button", { type: "button", class: "pick", tabindex: "-1", "aria-label": "Select" }, icon("check"));
  return h("div", { class: "tile" }, faceImage(), h("span", { class: "tile-file" }), pick, h("span", { class: "tile-flag" }));
}

/**
 * @param {HTMLElement} tile
 * @param {any} face a record of a person's faces or of what was left out
 * @param {{tier: number, selected: boolean}} how
 */
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
