import { get, picture, thumbnail } from "./api.js";
import { button, h, icon } from "./dom.js";
import { baseName, called, number, percent, statusWords, timecode } from "./format.js";
import { keyOf } from "./keyboard.js";
import { overlay, rememberSoon } from "./router.js";

/** @typedef {{words: string, key: string, run: (face: number) => void}} FaceAct */

/**
 * Opens the picture a face is from, and walks through its neighbours.
 * @param {{index: number, total: () => number, faceAt: (index: number) => Promise<number|null>, acts?: FaceAct[],
 *   onClose: (index: number) => void}} options
 * faceAt: the face at a place of the list, null for a file without one
 * @returns {{close: () => void, again: () => void, at: () => number}} again: shows what is now at this place
 */
export function openFace({ index, total, faceAt, acts = [], onClose }) {
  let at = index;
  /** The face at this place, as soon as it is known. @type {Promise<number|null>} */ let face = Promise.resolve(null);
  let wave = 0;

  const stage = h("div", { class: "stage" });
  const side = h("div", { class: "face-facts" });
  const place = h("p", { class: "face-place", role: "status" });
  const back = step("left", "Previous face", () => walk(-1));
  const next = step("right", "Next face", () => walk(1));
  const close = h("button", { type: "button", class: "tool face-close", "aria-label": "Close", title: "Close (Esc)", onclick: () => element.close() }, icon("close"));
  const actions = h("div", { class: "face-acts" }, ...acts.map((act) => button(act.words, { key: act.key, onclick: () => act2(act) })));
  /** @type {HTMLDialogElement} */
  const element = h("dialog", { class: "face-view", "aria-label": "Picture of a face" },
    h("div", { class: "face-stage" }, stage, back, next),
    h("aside", { class: "face-side" }, h("header", {}, place, close), side, actions),
    h("div", { class: "toasts" }),
  );

  const act2 = async (/** @type {FaceAct} */ act) => {
    const about = await face; // the one of when the key was pressed, whatever is on show by then
    if (about !== null) act.run(about);
  };

  const walk = (/** @type {number} */ way) => {
    const to = at + way;
    if (to < 0 || to >= total()) return;
    at = to;
    rememberSoon();
    show();
  };

  const show = async () => {
    wave += 1;
    const mine = wave;
    if (!total()) return element.close();
    at = Math.min(at, total() - 1);
    place.textContent = `${number(at + 1)} of ${number(total())}`;
    const held = document.activeElement;
    back.disabled = at === 0;
    next.disabled = at >= total() - 1;
    // Keys go nowhere while a button has the focus that can't be pressed.
    if (held === next && next.disabled) (back.disabled ? close : back).focus();
    else if (held === back && back.disabled) (next.disabled ? close : next).focus();
    face = faceAt(at);
    const id = await face;
    if (mine !== wave) return undefined;
    if (id === null) return noFace();
    try {
      const facts = await get(`/faces/${id}`);
      if (mine === wave) draw(facts);
    } catch (error) {
      if (mine === wave) stage.replaceChildren(h("p", { class: "stage-words", text: /** @type {Error} */ (error).message }));
    }
    for (const near of [at + 1, at - 1]) warmPicture(near);
    return undefined;
  };

  const noFace = () => {
    stage.replaceChildren(h("p", { class: "stage-words", text: "No face was found in this file." }));
    side.replaceChildren();
  };

  const draw = (/** @type {any} */ facts) => {
    const figure = drawFrames(facts);
    const image = h("img", { class: "stage-picture", alt: `${placeOf(facts)}, with the face framed` });
    image.addEventListener("load", () => figure.classList.add("ready"));
    image.addEventListener("error", () => gone(facts));
    image.src = picture(facts.face);
    figure.prepend(image);
    stage.replaceChildren(figure);
    fit(figure, stage, facts.picture);
    side.replaceChildren(...factsOf(facts));
  };

  const gone = async (/** @type {any} */ facts) => {
    if ((await face) !== facts.face) return;
    const words = await whyGone(facts.face);
    stage.replaceChildren(h("div", { class: "stage-gone" }, h("img", { src: thumbnail(facts.face), alt: "The face" }), h("p", { class: "stage-words", text: words })));
  };

  const warmPicture = async (/** @type {number} */ near) => {
    if (near < 0 || near >= total()) return;
    const id = await faceAt(near).catch(() => null);
    if (id !== null) new Image().src = picture(id);
  };

  const resized = () => {
    const figure = /** @type {HTMLElement|null} */ (stage.querySelector(".frames"));
    if (figure) fit(figure, stage, { width: Number(figure.dataset.width), height: Number(figure.dataset.height) });
  };

  element.addEventListener("keydown", (event) => {
    const key = keyOf(event);
    if (key === "ArrowLeft") walk(-1);
    else if (key === "ArrowRight") walk(1);
    else {
      const act = acts.find((one) => one.key.toLowerCase() === key);
      if (!act) return;
      if (!event.repeat) void act2(act);
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const taken = overlay(() => element.close(), { picture: index });
  element.addEventListener("close", () => {
    wave += 1;
    removeEventListener("resize", resized);
    document.getElementById("toasts")?.append(...element.querySelectorAll(".toast"));
    element.remove();
    taken();
    onClose(at);
  });
  addEventListener("resize", resized);
  document.body.append(element);
  element.showModal();
  next.focus();
  show();
  return { close: () => element.open && element.close(), again: show, at: () => at };
}

/** @param {string} picture @param {string} words @param {() => void} onclick */
const step = (picture, words, onclick) => h("button", { type: "button", class: `step step-${picture}`, "aria-label": words, onclick }, icon(picture));

/** The file, and where in a recording. @param {any} facts */
const placeOf = (facts) => (facts.time === null ? baseName(facts.file) : `${baseName(facts.file)} at ${timecode(facts.time, 1)}`);

/** The server's words for a picture that can't be shown. @param {number} face */
async function whyGone(face) {
  const answer = await fetch(picture(face)).catch(() => null);
  const body = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
  return [body.problem ?? "The picture can't be shown.", body.mend].filter(Boolean).join(" ");
}

/** @param {any} facts @returns {Node[]} */
function factsOf(facts) {
  const who = facts.person === null
    ? h("p", { class: "face-who" }, h("span", { text: statusWords(facts.status) }))
    : h("p", { class: "face-who" }, h("a", { href: `/people/${facts.person}`, text: called(facts) }));
  const rows = [
    ["Reason", facts.person === null ? facts.reason : ""],
    ["Sure", facts.decided ? "Decided by a person" : facts.probability === null ? "" : percent(facts.probability)],
    ["Quality", percent(facts.quality)],
    ["Detector", percent(facts.score)],
    ["File", baseName(facts.file)],
    ["Time", facts.time === null ? "" : timecode(facts.time, 1)],
    ["Frame", facts.frame === null ? "" : number(facts.frame)],
    ["Picture", `${number(facts.picture.width)} × ${number(facts.picture.height)}`],
    ["Copies", facts.files.length > 1 ? facts.files.slice(1).map(baseName).join(", ") : ""],
    ["Also here", facts.others.length ? number(facts.others.length) : ""],
  ];
  const list = rows.filter(([, value]) => value).map(([term, value]) => h("div", {}, h("dt", { text: term }), h("dd", { text: value })));
  return [who, h("dl", { class: "facts" }, ...list)];
}

const LARGEST = 3; // times a small picture is enlarged

/**
 * The place of a picture with its faces framed: this one clearly, the others lightly, with names that lead to them.
 * @param {any} facts an answer of /api/faces/{face}
 * @returns {HTMLElement}
 */
function drawFrames(facts) {
  const figure = h("figure", { class: "frames", "data-width": facts.picture.width, "data-height": facts.picture.height });
  for (const other of facts.others) figure.append(otherFrame(other, facts.picture));
  const frame = h("div", { class: "frame frame-this", "aria-hidden": "true" }, h("span", { class: "frame-name", text: facts.person === null ? "This face" : called(facts) }));
  put(frame, facts.box, facts.picture);
  figure.append(frame);
  return figure;
}

function otherFrame(/** @type {any} */ other, /** @type {{width: number, height: number}} */ picture) {
  const name = other.person === null ? "Nobody's" : called(other);
  const frame = other.person === null
    ? h("div", { class: "frame frame-other" }, h("span", { class: "frame-name", text: name }))
    : h("a", { class: "frame frame-other", href: `/people/${other.person}` }, h("span", { class: "frame-name", text: name }));
  put(frame, other.box, picture);
  return frame;
}

/** @param {HTMLElement} frame @param {number[]} box left, top, width, height @param {{width: number, height: number}} picture */
function put(frame, [left, top, width, height], picture) {
  frame.style.left = `${(100 * left) / picture.width}%`;
  frame.style.top = `${(100 * top) / picture.height}%`;
  frame.style.width = `${(100 * width) / picture.width}%`;
  frame.style.height = `${(100 * height) / picture.height}%`;
}

/** As large as the stage allows. @param {HTMLElement} figure @param {HTMLElement} stage @param {{width: number, height: number}} picture */
function fit(figure, stage, picture) {
  const scale = Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height, LARGEST);
  figure.style.width = `${Math.floor(picture.width * scale)}px`;
  figure.style.height = `${Math.floor(picture.height * scale)}px`;
}
