import { get, picture, thumbnail, whyNot } from "./api.js";
import { faceImages } from "./cells.js";
import { copy, fillIn, linkButton } from "./dialogs.js";
import { baseName, button, byId, called, h, iconButton, layOver, number, partOf, percent, statusWords, timecode, typing } from "./dom.js";
import { keyOf } from "./keyboard.js";
import { momentOf } from "./lanes.js";
import { asNamed, moveFaces, nameField } from "./names.js";
import { go, overlay, rememberSoon, setAddress } from "./router.js";

/** @typedef {Schemas["WholeFace"]} FaceDetail @typedef {Schemas["OtherFace"]} OtherFace */

const STRIP = 6; // neighbours on each side in the filmstrip

/** Opens the picture a face is from, and walks through its neighbours. @param {FaceViewOptions} options @returns {FaceView} */
export function openFace({ index, total, faceAt, ready, acts, onClose }) {
  let at = index;
  /** The face at this place, as soon as it is known. @type {Promise<number|null>} */ let face = Promise.resolve(null);
  let wave = 0;
  /** @type {FaceDetail|null} what is on show */ let shown = null;
  /** Whose name is edited. @type {ReturnType<typeof nameField>|null} */ let field = null;
  const stage = h("div", { class: "stage" });
  const strip = h("nav", { class: "film", "aria-label": "Neighbours" });
  const side = h("div", { class: "face-facts" });
  const place = h("p", { class: "face-place", role: "status" });
  const back = iconButton("left", "Previous face", () => walk(-1), { class: "step step-left" });
  const next = iconButton("right", "Next face", () => walk(1), { class: "step step-right" });
  const close = iconButton("close", "Close", () => element.close(), { class: "tool face-close", title: "Close (Esc)" });
  const actions = h("div", { class: "face-acts" }, ...acts.map((act) => button(act.words, { key: act.key, onclick: () => onFace(act.run) })));
  const element = h("dialog", { class: "face-view", "aria-label": "Picture of a face" },
    h("div", { class: "face-stage" }, stage, strip, back, next),
    h("aside", { class: "face-side" }, h("header", {}, place, close), side, actions),
    h("div", { class: "toasts" }),
  );

  /** About the face of when a key was pressed, whatever is on show by then. @param {(face: number) => unknown} run */
  const onFace = (run) => void face.then((about) => about !== null && run(about));

  function walk(/** @type {number} */ way) {
    if (at + way < 0 || at + way >= total()) return;
    at += way;
    rememberSoon();
    void show();
  }

  /** Past all faces of the picture on show. @param {number} way */
  async function walkPictures(way) {
    const here = new Set(shown && [shown.face, ...shown.others.map(({ face: other }) => other)]);
    let to = at + way;
    while (to >= 0 && to < total() && here.has((await faceAt(to)) ?? 0)) to += way;
    walk(to - at);
  }

  /** The faces of the picture, from left to right. */
  const inPicture = () => (shown ? [shown, ...shown.others] : []).sort((one, other) => one.box[0] - other.box[0]);

  /** With the name that is on its way. @param {any} about */
  function nowCalled(about) {
    const { person, name, pending } = about.person === null ? about : asNamed(about, shown?.revision ?? null);
    return { person, name: pending ?? name };
  }

  /** Edits a name where it stands; who is nobody's is asked for. @param {number} of a face of the picture */
  async function edit(of) {
    const every = inPicture();
    const place = every.findIndex(({ face: one }) => one === of);
    const about = every[place];
    const frame = stage.querySelector(`[data-face="${of}"]`);
    if (!shown || !about || !frame || field) return;
    const neighbour = (/** @type {number} */ way) => void edit(every[(place + way + every.length) % every.length].face);
    if (about.person === null) {
      const done = await moveFaces([of], shown.revision);
      await show();
      return done && every.length > 1 ? neighbour(1) : undefined;
    }
    field = nameField({
      person: asNamed(about, shown.revision),
      seen: () => shown?.revision ?? null,
      again: () => void edit(of),
      done: async ({ to, merged }) => {
        field = null;
        frame.replaceChildren(label);
        label.textContent = called(nowCalled(about));
        // At once: the next letter is the next one's.
        if (merged === undefined && (to === "next" || to === "before")) return neighbour(to === "next" ? 1 : -1);
        await show();
        if (to !== "elsewhere") partOf(stage, `[data-face="${of}"] button`)?.focus();
      },
    });
    const label = /** @type {HTMLElement} */ (frame.firstElementChild);
    frame.replaceChildren(field.element);
  }

  async function show() {
    if (field) return; // once the name is there
    await ready;
    wave += 1;
    const mine = wave;
    if (!total()) return element.close();
    at = Math.min(at, total() - 1);
    place.textContent = `${number(at + 1)} of ${number(total())}`;
    // Not disabled: keys would go nowhere while such a button has the focus.
    back.ariaDisabled = String(at === 0);
    next.ariaDisabled = String(at >= total() - 1);
    face = faceAt(at);
    const id = await face;
    if (mine !== wave) return;
    if (id === null) {
      shown = null;
      stage.replaceChildren(h("p", { class: "stage-words", text: "No face was found in this file." }));
      side.replaceChildren();
    } else {
      setAddress(`/pictures/${id}`);
      await fillIn(stage, async () => {
        const [facts, { path }] = await Promise.all([get(`/faces/${id}`), get(`/faces/${id}/path`)]);
        if (mine === wave && !field) draw(facts, path);
      });
    }
    await drawStrip(mine);
  }

  async function drawStrip(/** @type {number} */ mine) {
    const places = Array.from({ length: 2 * STRIP + 1 }, (_, step) => at - STRIP + step).filter((one) => one >= 0 && one < total());
    const faces = await Promise.all(places.map((one) => faceAt(one).catch(() => null)));
    if (mine !== wave) return;
    const held = strip.contains(document.activeElement);
    strip.replaceChildren(...places.flatMap((one, step) => {
      const id = faces[step];
      const props = { type: "button", "aria-label": `Face ${number(one + 1)}`, "aria-current": one === at && "true", onclick: () => walk(one - at) };
      return id === null ? [] : [h("button", props, ...faceImages([id]))];
    }));
    if (held) partOf(strip, "[aria-current]")?.focus();
    for (const near of [at + 1, at - 1]) {
      const id = faces[places.indexOf(near)];
      if (id) new Image().src = picture(id);
    }
  }

  function draw(/** @type {FaceDetail} */ facts, /** @type {string} */ path) {
    shown = facts;
    const where = facts.time === null ? baseName(facts.file) : `${baseName(facts.file)} at ${timecode(facts.time, 1)}`;
    const faces = inPicture().map((one) => ({ ...one, ...nowCalled(one) }));
    stage.replaceChildren(frames(facts, faces, `${where}, with the face framed`, (of) => void edit(of)));
    side.replaceChildren(...factsOf(facts, path));
  }

  element.addEventListener("keydown", (event) => {
    if (typing(event.target)) return;
    const key = keyOf(event);
    const act = acts.find((one) => one.key.toLowerCase() === key);
    if (key === "ArrowLeft") walk(-1);
    else if (key === "ArrowRight") walk(1);
    else if (key === "j" || key === "k") void walkPictures(key === "j" ? 1 : -1);
    else if (key === "n") onFace(edit);
    else if (key === "l") onFace((about) => go(`/faces/${about}`));
    else if (!act) return;
    else if (!event.repeat) onFace(act.run);
    event.preventDefault();
    event.stopPropagation();
  });
  const closed = overlay(() => element.close(), { picture: index });
  element.addEventListener("close", () => {
    field?.save("elsewhere");
    wave += 1;
    byId("toasts").append(...element.querySelectorAll(".toast"));
    element.remove();
    closed();
    onClose?.(at);
  });
  document.body.append(element);
  element.showModal();
  next.focus();
  void show();
  return { close: () => element.open && element.close(), again: show, at: () => at };
}

function factsOf(/** @type {FaceDetail} */ facts, /** @type {string} */ path) {
  const who = facts.person === null ? h("span", { text: statusWords(facts.status) }) : h("a", { href: `/people/${facts.person}`, text: called(facts) });
  const rows = {
    Reason: facts.person === null ? facts.reason : "",
    Sure: facts.decided ? "Decided by a person" : facts.probability === null ? "" : percent(facts.probability),
    Quality: percent(facts.quality),
    Detector: percent(facts.score),
    File: baseName(facts.file),
    Folder: path.slice(0, -baseName(path).length - 1),
    Time: facts.time === null ? "" : timecode(facts.time, 1),
    Frame: facts.frame === null ? "" : number(facts.frame),
    Picture: `${number(facts.picture.width)} × ${number(facts.picture.height)}`,
    Copies: facts.files.slice(1).map(baseName).join(", "),
  };
  const told = Object.entries(rows).filter(([, text]) => text);
  const others = facts.others.filter(({ person }) => person !== null).map((one) => h("a", { href: `/people/${one.person}`, text: called(one) }));
  const company = h("p", { class: "face-with", hidden: !others.length }, "With ", ...others.flatMap((one, at) => (at ? [", ", one] : [one])));
  const tools = h("p", { class: "face-tools" },
    linkButton("Faces like this", `/faces/${facts.face}`, "button"),
    facts.recording && linkButton("Play", momentOf(facts.recording, facts.time ?? 0), "button"),
    path && navigator.clipboard && button("Copy path", { onclick: () => copy(path, "The path is copied.") }),
  );
  return [h("p", { class: "face-who" }, who), company, tools, h("dl", { class: "facts" }, ...told.map(([term, text]) => h("div", {}, h("dt", { text: term }), h("dd", { text }))))];
}

/** A picture with its faces framed, this one clearly; a name is edited where it stands. @param {FaceDetail} facts @param {(FaceDetail|OtherFace)[]} faces @param {string} alt @param {(face: number) => void} edit */
function frames({ picture: size, face: own, recording }, faces, alt, edit) {
  const gone = async () => {
    const words = h("p", { class: "stage-words", text: await whyNot(picture(own)) });
    figure.replaceWith(h("div", { class: "stage-gone" }, h("img", { src: thumbnail(own), alt: "The face" }), words));
  };
  const ready = (/** @type {{target: HTMLImageElement}} */ { target }) => {
    // Frames of recordings are as wide as players show them, whatever is stored.
    if (recording) figure.style.setProperty("--ratio", String(target.naturalWidth / target.naturalHeight));
    figure.classList.add("ready");
  };
  const figure = h("figure", { class: "frames" });
  figure.append(h("img", { class: "stage-picture", alt, src: picture(own), onload: ready, onerror: gone }));
  figure.style.setProperty("--ratio", String(size.width / size.height));
  figure.style.setProperty("--width", `${size.width}px`);
  for (const { face, box, person, name } of faces) {
    const words = person === null ? "Who is this?" : called({ person, name });
    const label = h("button", { type: "button", class: "frame-name", "aria-label": person === null ? words : `${words}: change the name`, onclick: () => edit(face), text: words });
    const frame = h("div", { class: `frame ${face === own ? "frame-this" : ""}`, "data-face": face }, label);
    layOver(frame, box, size);
    figure.append(frame);
  }
  return figure;
}

/** Shows the whole picture of a face over the page, until what is returned is called. @param {number} face */
export function peek(face) {
  const element = h("div", { class: "peek" });
  document.body.append(element);
  get(`/faces/${face}`).then((facts) => element.replaceChildren(frames(facts, [facts], "The whole picture", () => {})), () => element.remove());
  return () => element.remove();
}

/** The page of a picture: the picture over who is in it, or over the faces like it. @type {Mount} */
export function picturePage(root, { params, signal }) {
  const show = (/** @type {FaceDetail} */ { face, person, place }) => go(person === null ? `/faces/${face}` : `/people/${person}`, { replace: true, state: { picture: place } });
  void fillIn(root, async () => show(await get(`/faces/${params[0]}`, {}, signal)));
  return {};
}
