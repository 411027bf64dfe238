import { h } from "./dom.js";
import { called, timecode } from "./format.js";
import { faceImage, showFace } from "./thumbs.js";

const EDGE = 8; // pixels to the sides of the window

const image = faceImage();
const who = h("strong", {});
const when = h("span", {});
// What it says is in the label of each bar, too.
const tip = h("div", { class: "time-tip", "aria-hidden": "true", hidden: true }, image, h("p", {}, who, when));
/** @type {Element|null} */ let shown = null;

/**
 * Says beside a bar who is on screen, and when exactly; null: nothing.
 * @param {HTMLElement|null} bar
 * @param {import("./lanes.js").OnScreen} [person]
 * @param {import("./lanes.js").Time} [time]
 * @param {number} [x] of the pointer; the middle of what is seen of the bar if left out
 */
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
