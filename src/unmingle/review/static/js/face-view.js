import { get, picture, thumbnail } from "./api.js";
import { linkButton } from "./dialogs.js";
import { button, byId, h, iconButton } from "./dom.js";
import { baseName, called, number, percent, statusWords, timecode } from "./format.js";
import { keyOf } from "./keyboard.js";
import { go, overlay, rememberSoon } from "./router.js";

/** @typedef {Schemas["FaceDetail"]} FaceDetail */

const LARGEST = 3; // times a small picture is enlarged

/** Opens the picture a face is from, and walks through its neighbours. @param {FaceViewOptions} options @returns {FaceView} */
export function openFace({ index, total, faceAt, acts, onClose }) {
  let at = index;
  /** The face at this place, as soon as it is known. @type {Promise<number|null>} */ let face = Promise.resolve(null);
  let wave = 0;
  const stage = h("div", { class: "stage" });
  const side = h("div", { class: "face-facts" });
  const place = h("p", { class: "face-place", role: "status" });
  const back = iconButton("left", "Previous face", () => walk(-1), { class: "step step-left" });
  const next = iconButton("right", "Next face", () => walk(1), { class: "step step-right" });
  const close = iconButton("close", "Close", () => element.close(), { class: "tool face-close", title: "Close (Esc)" });
  const actions = h("div", { class: "face-acts" }, ...acts.map((act) => button(act.words, { key: act.key, onclick: () => carryOut(act) })));
  /** @type {HTMLDialogElement} */
  const element = h("dialog", { class: "face-view", "aria-label": "Picture of a face" },
    h("div", { class: "face-stage" }, stage, back, next),
    h("aside", { class: "face-side" }, h("header", {}, place, close), side, actions),
    h("div", { class: "toasts" }),
  );

  async function carryOut(/** @type {FaceAct} */ act) {
    const about = await face; // the one of when the key was pressed, whatever is on show by then
    if (about !== null) act.run(about);
  }

  function walk(/** @type {number} */ way) {
    if (at + way < 0 || at + way >= total()) return;
    at += way;
    rememberSoon();
    void show();
  }

  async function show() {
    wave += 1;
    const mine = wave;
    if (!total()) return element.close();
    at = Math.min(at, total() - 1);
    place.textContent = `${number(at + 1)} of ${number(total())}`;
    offerSteps();
    face = faceAt(at);
    const id = await face;
    if (mine !== wave) return undefined;
    if (id === null) {
      say("No face was found in this file.");
      return side.replaceChildren();
    }
    try {
      const facts = await get(`/faces/${id}`);
      if (mine === wave) draw(facts);
    } catch (error) {
      if (mine === wave) say(/** @type {Error} */ (error).message);
    }
    return warm();
  }

  function offerSteps() {
    const held = document.activeElement;
    back.disabled = at === 0;
    next.disabled = at >= total() - 1;
    // Keys go nowhere while a button has the focus that can't be pressed.
    if (held === next && next.disabled) (back.disabled ? close : back).focus();
    else if (held === back && back.disabled) (next.disabled ? close : next).focus();
  }

  async function warm() {
    for (const near of [at + 1, at - 1].filter((one) => one >= 0 && one < total())) {
      const id = await faceAt(near).catch(() => null);
      if (id !== null) new Image().src = picture(id);
    }
  }

  const say = (/** @type {string} */ text) => stage.replaceChildren(h("p", { class: "stage-words", text }));

  function draw(/** @type {FaceDetail} */ facts) {
    const where = facts.time === null ? baseName(facts.file) : `${baseName(facts.file)} at ${timecode(facts.time, 1)}`;
    const figure = frames(facts);
    const image = h("img", {
      class: "stage-picture",
      alt: `${where}, with the face framed`,
      src: picture(facts.face),
      onload: () => figure.classList.add("ready"),
      onerror: () => gone(facts.face),
    });
    figure.prepend(image);
    stage.replaceChildren(figure);
    fit();
    side.replaceChildren(...factsOf(facts));
  }

  /** The server's words for a picture that can't be shown. @param {number} shown */
  async function gone(shown) {
    if ((await face) !== shown) return;
    const answer = await fetch(picture(shown)).catch(() => null);
    const body = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
    const text = [body.problem ?? "The picture can't be shown.", body.mend].filter(Boolean).join(" ");
    stage.replaceChildren(h("div", { class: "stage-gone" }, h("img", { src: thumbnail(shown), alt: "The face" }), h("p", { class: "stage-words", text })));
  }

  /** The picture is as large as the stage allows. */
  function fit() {
    const figure = /** @type {HTMLElement|null} */ (stage.querySelector(".frames"));
    if (!figure) return;
    const [width, height] = [Number(figure.dataset.width), Number(figure.dataset.height)];
    const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height, LARGEST);
    Object.assign(figure.style, { width: `${Math.floor(width * scale)}px`, height: `${Math.floor(height * scale)}px` });
  }

  element.addEventListener("keydown", (event) => {
    const key = keyOf(event);
    const act = acts.find((one) => one.key.toLowerCase() === key);
    if (key === "ArrowLeft") walk(-1);
    else if (key === "ArrowRight") walk(1);
    else if (key === "l") void face.then((about) => about !== null && go(`/faces/${about}`));
    else if (!act) return;
    else if (!event.repeat) void carryOut(act);
    event.preventDefault();
    event.stopPropagation();
  });
  const closed = overlay(() => element.close(), { picture: index });
  element.addEventListener("close", () => {
    wave += 1;
    removeEventListener("resize", fit);
    byId("toasts").append(...element.querySelectorAll(".toast"));
    element.remove();
    closed();
    onClose(at);
  });
  addEventListener("resize", fit);
  document.body.append(element);
  element.showModal();
  next.focus();
  void show();
  return { close: () => element.open && element.close(), again: show, at: () => at };
}

function factsOf(/** @type {FaceDetail} */ facts) {
  const who = facts.person === null ? h("span", { text: statusWords(facts.status) }) : h("a", { href: `/people/${facts.person}`, text: called(facts) });
  const rows = {
    Reason: facts.person === null ? facts.reason : "",
    Sure: facts.decided ? "Decided by a person" : facts.probability === null ? "" : percent(facts.probability),
    Quality: percent(facts.quality),
    Detector: percent(facts.score),
    File: baseName(facts.file),
    Time: facts.time === null ? "" : timecode(facts.time, 1),
    Frame: facts.frame === null ? "" : number(facts.frame),
    Picture: `${number(facts.picture.width)} × ${number(facts.picture.height)}`,
    Copies: facts.files.slice(1).map(baseName).join(", "),
    "Also here": facts.others.length ? number(facts.others.length) : "",
  };
  const told = Object.entries(rows).filter(([, text]) => text);
  const like = linkButton("Faces like this", `/faces/${facts.face}`, "button");
  return [h("p", { class: "face-who" }, who), like, h("dl", { class: "facts" }, ...told.map(([term, text]) => h("div", {}, h("dt", { text: term }), h("dd", { text }))))];
}

/** The place of a picture with its faces framed: this one clearly, the others lightly, with names that lead to them. @param {FaceDetail} facts */
function frames({ picture: { width, height }, others, box, person, name }) {
  const put = (/** @type {HTMLElement} */ frame, /** @type {number[]} */ [left, top, across, down]) => {
    const shares = { left: left / width, top: top / height, width: across / width, height: down / height };
    for (const [side, share] of Object.entries(shares)) frame.style.setProperty(side, `${100 * share}%`);
    return frame;
  };
  const title = (/** @type {string} */ text) => h("span", { class: "frame-name", text });
  const figure = h("figure", { class: "frames", "data-width": width, "data-height": height });
  for (const other of others) {
    const [tag, href, text] = other.person === null ? ["div", null, "Nobody's"] : ["a", `/people/${other.person}`, called(other)];
    figure.append(put(h(tag, { class: "frame frame-other", href }, title(text)), other.box));
  }
  const words = person === null ? "This face" : called({ person, name });
  figure.append(put(h("div", { class: "frame frame-this", "aria-hidden": "true" }, title(words)), box));
  return figure;
}
