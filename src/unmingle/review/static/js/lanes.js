import { faceImage, showFace } from "./cells.js";
import { called, h, timecode } from "./dom.js";

const EDGE = 8; // pixels to the sides of the window
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800]; // seconds between two marks
const ROOM = 64; // pixels between two marks
const LEAST = 3; // pixels: the width of the shortest bar, as in the style sheet

const image = faceImage();
const who = h("strong");
const when = h("span");
// What it says is in the label of each bar, too.
const tip = h("div", { class: "time-tip", "aria-hidden": "true", hidden: true }, image, h("p", {}, who, when));
/** @type {Element|null} */ let shown = null;

/** Says beside a bar, at x or in its middle, who is on screen, and when exactly; null: nothing. @type {ShowTip} */
export function showTip(bar, person, time, x) {
  if (!bar || !person || !time) {
    shown = null;
    tip.hidden = true;
    return;
  }
  if (shown !== bar) {
    shown = bar;
    if (!tip.isConnected) document.body.append(tip);
    who.textContent = called(person);
    when.textContent = `${timecode(time.start, 1)} – ${timecode(time.end, 1)} (${(time.end - time.start).toFixed(1)} s)`;
    tip.hidden = false;
    showFace(image, time.face);
  }
  const box = bar.getBoundingClientRect();
  const middle = x ?? (Math.max(0, box.left) + Math.min(innerWidth, box.right)) / 2;
  const left = Math.max(EDGE, Math.min(middle - tip.offsetWidth / 2, innerWidth - tip.offsetWidth - EDGE));
  const above = box.top - tip.offsetHeight - EDGE;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < EDGE ? box.bottom + EDGE : above}px`;
}

addEventListener("scroll", () => showTip(null), { passive: true, capture: true });

/** The address of a moment of a recording. @param {number} recording @param {number} seconds */
export const momentOf = (recording, seconds) => `/timeline?recording=${recording}&at=${seconds.toFixed(2)}`;

/** A colour for somebody in a recording: as far from those of the others as hues go. @param {number} person @param {OnScreen[]} people */
export const colourOf = (person, people) => `oklch(0.74 0.14 ${(40 + 137.5 * people.filter((other) => other.person < person).length) % 360})`;

/** The bars of one person along a recording. @param {OnScreen} one @param {LaneOptions} options */
export function lane(one, { duration, label, barOf }) {
  const bars = one.intervals.map(({ start, end }, index) => {
    const bar = barOf(index, `${timecode(start, 1)} to ${timecode(end, 1)}, ${(end - start).toFixed(1)} seconds`);
    const left = Math.min(100, (100 * start) / duration);
    bar.classList.add("bar-time");
    Object.assign(bar.dataset, { at: index, person: one.person });
    bar.tabIndex = -1;
    bar.style.left = `min(${left}%, 100% - ${LEAST}px)`;
    bar.style.width = `${Math.min(100 - left, (100 * (end - start)) / duration)}%`;
    return bar;
  });
  return h("div", { class: "lane", role: "group", "aria-label": label }, ...bars);
}

/** Makes the bars of lanes one stop of the Tab key, walked with the arrows. @param {HTMLElement} root @param {OnScreen[]} people of its lanes */
export function walkable(root, people) {
  const lanes = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".lane")]);
  const first = /** @type {HTMLElement|null} */ (root.querySelector(".bar-time"));
  if (first) first.tabIndex = 0;

  /** @param {Event} event @returns {HTMLElement|null} */
  const barOf = ({ target }) => (target instanceof Element ? target.closest(".bar-time") : null);

  /** @param {HTMLElement} bar @returns {[number, number]} the lane, and the place in it */
  const placeOf = (bar) => [lanes.indexOf(/** @type {HTMLElement} */ (bar.parentElement)), Number(bar.dataset.at)];

  /** @param {HTMLElement} bar @param {number} [x] of the pointer */
  const tell = (bar, x) => {
    const [row, at] = placeOf(bar);
    showTip(bar, people[row], people[row].intervals[at], x);
  };

  root.addEventListener("focusin", (event) => {
    const bar = barOf(event);
    if (!bar) return;
    for (const other of root.querySelectorAll('.bar-time[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
    bar.tabIndex = 0;
    if (bar.matches(":focus-visible")) tell(bar);
  });
  for (const kind of ["focusout", "pointerleave"]) root.addEventListener(kind, () => showTip(null));
  root.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const bar = barOf(event);
    if (bar) tell(bar, event.clientX);
    else showTip(null);
  });
  root.addEventListener("keydown", (event) => {
    const bar = barOf(event);
    if (!bar || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return showTip(null);
    const to = step(event.key, ...placeOf(bar), people);
    if (!to) return undefined;
    event.preventDefault();
    /** @type {HTMLElement} */ (lanes[to[0]].children[to[1]]).focus();
  });
}

/** Where a key leads: along the lane, or to what is nearest in time in the next one; null: nowhere. @type {LaneStep} */
function step(key, row, at, people) {
  const last = people[row].intervals.length - 1;
  if (key === "ArrowLeft") return [row, Math.max(0, at - 1)];
  if (key === "ArrowRight") return [row, Math.min(last, at + 1)];
  if (key === "Home") return [row, 0];
  if (key === "End") return [row, last];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const next = row + (key === "ArrowUp" ? -1 : 1);
  if (!people[next]) return [row, at];
  const { start, end } = people[row].intervals[at];
  const apart = people[next].intervals.map((time) => Math.max(0, time.start - end, start - time.end));
  return [next, apart.indexOf(Math.min(...apart))];
}

/** Marks along a stretch of time: a line each, and its time where there is room for it. @param {number} duration seconds @param {number} width pixels */
export function marks(duration, width) {
  const perSecond = width / duration;
  const step = STEPS.find((seconds) => seconds * perSecond >= ROOM) ?? duration;
  const made = [];
  for (let at = 0; at * step <= duration; at += 1) {
    const mark = h("span", { class: "mark" });
    mark.style.left = `${(100 * at * step) / duration}%`;
    if ((duration - at * step) * perSecond >= ROOM * 0.7 || at === 0) mark.textContent = timecode(at * step, step < 1 ? 1 : 0);
    made.push(mark);
  }
  return made;
}
