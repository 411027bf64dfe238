import { thumbnail } from "./api.js";

/**
 * Loads thumbnails a few at a time, the nearest first, and drops those that scrolled away before they came. A browser
 * left to itself asks in the order of asking, so that after a long scroll what is on screen comes last.
 */
const AT_ONCE = 12;
/** @type {Map<HTMLImageElement, {face: number, tier: number}>} */ const waiting = new Map();
/** @type {Set<HTMLImageElement>} */ const loading = new Set();
let pumping = false;

/** An empty place for a face. */
export function faceImage() {
  const image = document.createElement("img");
  image.alt = "";
  image.draggable = false;
  image.decoding = "async";
  image.className = "thumb";
  image.addEventListener("load", () => settle(image, true));
  image.addEventListener("error", () => settle(image, false));
  return image;
}

/**
 * Shows a face in a place, or nothing.
 * @param {HTMLImageElement} image
 * @param {number|null|undefined} face
 * @param {number} [tier] 0: on screen, larger: later
 */
export function showFace(image, face, tier = 0) {
  const wanted = face === null || face === undefined ? "" : String(face);
  if (image.dataset.face === wanted) {
    const queued = waiting.get(image);
    if (queued) queued.tier = Math.min(queued.tier, tier);
    return;
  }
  forget(image);
  if (!wanted) return;
  image.dataset.face = wanted;
  waiting.set(image, { face: Number(face), tier });
  pump();
}

/** Empties a place, and stops loading what was meant for it. @param {HTMLImageElement} image */
export function forget(image) {
  waiting.delete(image);
  if (loading.delete(image)) pump();
  image.removeAttribute("src");
  delete image.dataset.face;
  delete image.dataset.ready;
}

/** Fetches thumbnails that will be wanted soon. @param {number[]} faces */
export function warm(faces) {
  for (const face of faces) {
    const image = new Image();
    image.src = thumbnail(face);
  }
}

function settle(/** @type {HTMLImageElement} */ image, /** @type {boolean} */ good) {
  if (!image.dataset.face) return;
  image.dataset.ready = good ? "yes" : "broken";
  loading.delete(image);
  pump();
}

function pump() {
  if (pumping) return;
  pumping = true;
  queueMicrotask(() => {
    pumping = false;
    while (loading.size < AT_ONCE && waiting.size) start(nearest());
  });
}

function nearest() {
  let best = null;
  let tier = Infinity;
  for (const [image, wish] of waiting) {
    if (wish.tier < tier) {
      best = image;
      tier = wish.tier;
      if (tier === 0) break;
    }
  }
  return /** @type {HTMLImageElement} */ (best);
}

function start(/** @type {HTMLImageElement} */ image) {
  const wish = waiting.get(image);
  waiting.delete(image);
  if (!wish || !image.isConnected) {
    delete image.dataset.face;
    return;
  }
  loading.add(image);
  image.src = thumbnail(wish.face);
}
