import { faceImage, showFace } from "./cells.js";
import { called, h, partOf, timecode } from "./dom.js";

const EDGE = 8; // pixels to the sides of the window
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800]; // seconds between two marks
const ROOM = 64; // pixels between two marks
const LEAST = 3; // pixels: the width of the shortest bar, as in the style sheet

const image = faceImage();
const who = h("strong");
const when = h("span");
// What it says is in the label of each bar, too.
const tip = h("div", { class: "time-tip", "aria-hidden": "true", hidden: true }, image, h("p", {}, who, when));
/** Whom and which time a bar shows. @type {WeakMap<Element, {person: OnScreen, time: Time}>} */ const shown = new WeakMap();

/** When somebody is on screen, by the bar that shows it. @param {Element} bar */
export const timeOf = (bar) => /** @type {{time: Time}} */ (shown.get(bar)).time;

/** Says beside a bar, at x or in its middle, who is on screen, and when exactly; null: nothing. @param {Element|null} bar @param {number} [x] */
function showTip(bar, x) {
  const about = bar && shown.get(bar);
  tip.hidden = !about;
  if (!about) return;
  const { person, time } = about;
  const row = /** @type {Element} */ (bar.closest(".track-row"));
  if (tip.parentElement !== row) row.append(tip); // it goes where that goes
  who.textContent = called(person);
  when.textContent = `${timecode(time.start, 1)} – ${timecode(time.end, 1)} (${(time.end - time.start).toFixed(1)} s)`;
  showFace(image, time.face);
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

/** A row: what stands before it, and the bars of one person along a recording. @param {HTMLElement} before @param {OnScreen} person @param {LaneOptions} options */
export function lane(before, person, { duration, label, barOf }) {
  const bars = person.intervals.map((time, index) => {
    const { start, end } = time;
    const bar = barOf(index, `${timecode(start, 1)} to ${timecode(end, 1)}, ${(end - start).toFixed(1)} seconds`);
    const left = Math.min(100, (100 * start) / duration);
    shown.set(bar, { person, time });
    bar.classList.add("bar-time");
    Object.assign(bar.dataset, { at: index, person: person.person });
    bar.tabIndex = -1;
    bar.style.left = `min(${left}%, 100% - ${LEAST}px)`;
    bar.style.width = `${Math.min(100 - left, (100 * (end - start)) / duration)}%`;
    return bar;
  });
  return h("div", { class: "track-row" }, before, h("div", { class: "lane", role: "group", "aria-label": label }, ...bars));
}

/** How long somebody is on screen: "0:03.2". @param {OnScreen} person */
export const onScreen = ({ seconds }) => timecode(seconds, seconds < 60 ? 1 : 0);

/** Of a lane the bar that is nearest in time to another. @param {Element} bar @param {Element|undefined} lane @returns {Element|undefined} */
function nearest(bar, lane) {
  const { start, end } = timeOf(bar);
  const bars = [...(lane?.children ?? [])];
  const apart = bars.map(timeOf).map((time) => Math.max(0, time.start - end, start - time.end));
  return bars[apart.indexOf(Math.min(...apart))];
}

/** Makes the bars of lanes one stop of the Tab key, walked with the arrows. @param {HTMLElement} root */
export function walkable(root) {
  const first = partOf(root, ".bar-time");
  if (first) first.tabIndex = 0;

  /** @param {Event} event @returns {HTMLElement|null} */
  const barOf = ({ target }) => (target instanceof Element ? target.closest(".bar-time") : null);

  root.addEventListener("focusin", (event) => {
    const bar = barOf(event);
    if (!bar) return;
    for (const other of root.querySelectorAll('.bar-time[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
    bar.tabIndex = 0;
    if (bar.matches(":focus-visible")) showTip(bar);
  });
  for (const kind of ["focusout", "pointerleave"]) root.addEventListener(kind, () => showTip(null));
  root.addEventListener("pointermove", (event) => event.pointerType !== "touch" && showTip(barOf(event), event.clientX));
  root.addEventListener("keydown", (event) => {
    const bar = barOf(event);
    const own = bar?.parentElement;
    if (!own || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return showTip(null);
    const lanes = [...root.querySelectorAll(".lane")];
    const to = /** @type {Record<string, Element|null|undefined>} */ ({
      ArrowLeft: bar.previousElementSibling,
      ArrowRight: bar.nextElementSibling,
      Home: own.firstElementChild,
      End: own.lastElementChild,
      ArrowUp: nearest(bar, lanes[lanes.indexOf(own) - 1]),
      ArrowDown: nearest(bar, lanes[lanes.indexOf(own) + 1]),
    });
    if (!(event.key in to)) return undefined;
    event.preventDefault();
    return /** @type {HTMLElement} */ (to[event.key] ?? bar).focus();
  });
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
