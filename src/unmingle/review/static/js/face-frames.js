import { h } from "./dom.js";
import { called } from "./format.js";

const LARGEST = 3; // times a small picture is enlarged

/**
 * The place of a picture with its faces framed: this one clearly, the others lightly, with names that lead to them.
 * @param {any} facts an answer of /api/faces/{face}
 * @returns {HTMLElement}
 */
export function drawFrames(facts) {
  const figure = h("figure", { class: "frames", "data-width": facts.picture.width, "data-height": facts.picture.height });
  for (const other of facts.others) figure.append(otherFrame(other, facts.picture));
  const frame = h("div", { class: "frame frame-this", "aria-hidden": "true" }, h("span", { class: "frame-name", text: facts.person === null ? "This face" : called(facts) }));
  put(frame, facts.box, facts.picture);
  figure.append(frame);
  return figure;
}

/** @param {any} other @param {{width: number, height: number}} picture */
function otherFrame(other, picture) {
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
export function fit(figure, stage, picture) {
  const scale = Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height, LARGEST);
  figure.style.width = `${Math.floor(picture.width * scale)}px`;
  figure.style.height = `${Math.floor(picture.height * scale)}px`;
}
