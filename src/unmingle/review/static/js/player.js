import { get, whyNot } from "./api.js";
import { called, h, icon, iconButton, layOver, timecode } from "./dom.js";
import { bind } from "./keyboard.js";
import { colourOf } from "./lanes.js";

const PART = 60; // seconds of which is asked at a time where people are
const BRIDGED = 1; // seconds between two boxes of a face that is followed on the way from one to the other
const ROUNDING = 0.001; // seconds: a time that was rounded down is of the frame before

/** Plays a recording with its people framed. at: seconds where it begins; onTime: hears where it is. @param {{recording: Recording, at: number, onTime: (seconds: number) => void, signal: AbortSignal}} options */
export function player({ recording, at, onTime, signal }) {
  const { begins, duration, every, width, height, note } = recording;
  const address = `/recordings/${recording.recording}`;
  /** Where people are, by parts. @type {Map<number, any[]>} */ let parts = new Map();
  /** @type {OnScreen[]} */ let people = [];
  let begun = false;
  let before = 0; // seconds on the file's clock where the recording begins
  let drawing = 0; // the request for the next moment's, so that there is one however often something changes
  const video = h("video", { class: "stage-picture", src: `/api${address}/file`, preload: "auto", playsinline: true });
  /** What plays: the file, or its frames one by one. @type {any} */ let media = video;
  const frames = h("div", { class: "player-people" });
  const figure = h("div", { class: "frames ready player-picture" }, video, frames);
  const play = iconButton("play", "Play", () => toggle());
  const sound = iconButton("sound", "Sound off", () => (video.muted = !video.muted));
  const clock = h("span", { class: "player-clock" });
  const slider = h("input", { type: "range", min: 0, max: duration, step: 0.01, "aria-label": "Time in the recording", oninput: ({ target }) => seek(Number(target.value)) });
  const element = h("section", { class: "player", "aria-label": "The recording" }, figure, h("div", { class: "player-tools" }, play, slider, clock, sound));
  const shape = (/** @type {number} */ ratio) => figure.style.setProperty("--ratio", String(ratio));
  shape(width / height);

  const now = () => Math.max(0, media.currentTime - before);

  function seek(/** @type {number} */ to) {
    media.currentTime = before + Math.max(0, Math.min(duration - every / 2, to)) + ROUNDING;
    draw();
  }

  const toggle = () => (media.paused ? start() : media.pause());
  /** Browsers play nothing with sound until somebody has touched the page. */
  const start = () => {
    if (now() >= duration - every) seek(0);
    return void media.play().catch(() => {});
  };

  /** What is seen at a time: the frames of people, and the clock. */
  function draw() {
    const time = now();
    const at = Math.floor(time / PART);
    for (const part of [at, at + 1]) if (!parts.has(part) && part * PART < duration) void load(part);
    const here = parts.get(at) ?? [];
    if (frames.firstElementChild !== (here[0]?.frame ?? null)) frames.replaceChildren(...here.map(({ frame }) => frame));
    for (const { frame, times, boxes } of here) {
      const box = boxAt(time, times, boxes, every);
      frame.hidden = !box;
      if (box) layOver(frame, box, recording);
    }
    const words = `${timecode(time, 1)} of ${timecode(duration, 1)}`;
    clock.textContent = words;
    slider.value = String(time);
    slider.setAttribute("aria-valuetext", words);
    onTime(time);
  }

  async function load(/** @type {number} */ part) {
    const mine = parts;
    mine.set(part, []);
    const found = await get(`${address}/seen`, { start: part * PART, stop: (part + 1) * PART }, signal).catch(() => null);
    if (mine !== parts) return;
    if (!found) return void setTimeout(() => mine.delete(part), 2000); // another try
    mine.set(part, found.seen.map((/** @type {Schemas["Seen"]} */ one) => ({ ...one, frame: frameOf(one.person, people) })));
    draw();
  }

  function running() {
    cancelAnimationFrame(drawing);
    draw();
    if (!media.paused) drawing = requestAnimationFrame(running);
  }

  function changed() {
    const words = media.paused ? "Play" : "Pause";
    play.setAttribute("aria-label", words);
    play.replaceChildren(icon(words.toLowerCase()));
    const muted = video.muted ? "Sound on" : "Sound off";
    sound.setAttribute("aria-label", muted);
    sound.replaceChildren(icon(video.muted ? "muted" : "sound"));
    running();
  }

  /** What the browser can't play is shown frame by frame. */
  function byFrames() {
    if (media !== video || signal.aborted) return;
    const [from, playing] = begun ? [now(), !video.paused] : [at, true];
    const image = h("img", { class: "stage-picture", alt: "A frame of the recording", onload: ({ target }) => shape(target.naturalWidth / target.naturalHeight), onerror: () => void gone(image.src) });
    media = slides(image, `/api${address}/frame`, duration, every, changed);
    video.removeAttribute("src");
    video.replaceWith(image);
    sound.hidden = true;
    element.prepend(h("p", { class: "quiet", text: "The browser can’t play this file: its frames are shown one by one, without sound." }));
    before = 0;
    seek(from);
    if (playing) start();
  }

  async function gone(/** @type {string} */ shown) {
    const words = await whyNot(shown);
    media.pause();
    element.replaceChildren(h("p", { class: "player-gone", role: "alert", text: words }));
  }

  // A file without a picture for it, or with another one than was looked at, is none that it can play.
  video.addEventListener("loadedmetadata", () => {
    const ratio = video.videoWidth / video.videoHeight;
    // Calls begin small and grow; of several streams another one may be as high by its width.
    const grows = !note && Math.abs((ratio * height) / width - 1) < 0.02;
    if (video.videoWidth !== width && video.videoHeight !== height && !grows) return byFrames();
    shape(ratio);
    return undefined;
  });
  video.addEventListener("error", byFrames);
  /** Its clock may begin anywhere. */
  const first = (/** @type {number} */ _, /** @type {{mediaTime: number}} */ { mediaTime }) => {
    begun = true;
    before = mediaTime - begins;
    seek(at);
    start();
  };
  video.requestVideoFrameCallback(first);
  for (const kind of ["play", "pause", "seeked", "volumechange"]) video.addEventListener(kind, changed);
  const step = (/** @type {number} */ seconds) => seek(now() + seconds);
  bind("The recording", [
    { keys: ["Space"], words: "Play, or pause", run: toggle },
    { keys: ["j"], words: "Five seconds back", run: () => step(-5) },
    { keys: ["l"], words: "Five seconds on", run: () => step(5) },
    { keys: [","], words: "One frame back", run: () => step(-every) },
    { keys: ["."], words: "One frame on", run: () => step(every) },
    { keys: ["f"], words: "Full screen", run: () => void figure.requestFullscreen() },
  ], signal);
  signal.addEventListener("abort", () => {
    media.pause();
    video.removeAttribute("src"); // no more of it is fetched
    video.load();
  });
  return {
    element,
    seek,
    /** Names and who is where, as they are now. */
    show: (/** @type {OnScreen[]} */ told) => {
      people = told;
      parts = new Map();
      draw();
    },
  };
}

/** The frame of somebody, in a colour of their own. @param {number} person @param {OnScreen[]} people of the recording */
function frameOf(person, people) {
  const about = people.find((one) => one.person === person) ?? { person };
  const frame = h("div", { class: "frame", hidden: true }, h("a", { class: "frame-name", href: `/people/${person}`, text: called(about) }));
  frame.style.setProperty("--own", colourOf(person, people));
  return frame;
}

/** Where a face is at a time; null: nowhere. @param {number} time @param {number[]} times @param {number[][]} boxes @param {number} every @returns {number[]|null} */
function boxAt(time, times, boxes, every) {
  const from = times.findLastIndex((one) => one <= time);
  if (from < 0) return null;
  const to = from + 1;
  const gap = times[to] - times[from];
  if (!(gap <= BRIDGED)) return time - times[from] < every ? boxes[from] : null;
  const share = (time - times[from]) / gap;
  return boxes[from].map((side, at) => side + (boxes[to][at] - side) * share);
}

/** Plays frames as pictures, each as soon as it is there, with the parts of a <video> that are used. @param {HTMLImageElement} image @param {string} address @param {number} duration @param {number} every @param {() => void} changed */
function slides(image, address, duration, every, changed) {
  let at = 0; // of the frame on show
  let wanted = 0;
  let busy = false;
  let sought = false; // until that frame is there, no time goes by
  let timer = 0; // until the next frame is due
  let from = 0; // milliseconds on the page's clock, of the recording's beginning
  const since = () => (performance.now() - from) / 1000;

  async function load() {
    if (busy) return;
    busy = true;
    for (let to; to !== wanted; ) {
      to = wanted;
      image.src = `${address}?at=${to.toFixed(3)}`;
      await image.decode().catch(() => {});
      at = to;
    }
    if (sought) from = performance.now() - at * 1000;
    busy = sought = false;
    changed();
    clearTimeout(timer);
    if (!self.paused) timer = window.setTimeout(next, Math.max(0, (at + every - since()) * 1000));
  }

  function next() {
    if (self.paused || busy) return; // what is on its way may have been sought
    if (at >= duration - every) return self.pause();
    wanted = Math.min(duration - every / 2, Math.max(at + every, since())); // the last is never left out
    void load();
  }

  const self = {
    paused: true,
    get currentTime() {
      return at;
    },
    set currentTime(to) {
      wanted = to;
      sought = true;
      void load();
    },
    async play() {
      self.paused = false;
      self.currentTime = wanted;
    },
    pause() {
      self.paused = true;
      changed();
    },
  };
  return self;
}
