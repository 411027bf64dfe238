import { button, h } from "./dom.js";
import { called, counted } from "./format.js";
import { faceImage, showFace } from "./thumbs.js";

/**
 * One question: both sides large, and the answers.
 * @param {any} question a record of /api/questions
 * @param {(answer: "same"|"different"|"unsure") => void} answer
 */
export function questionCard(question, answer) {
  const heading = h("h2", { class: "question-text", text: question.text, tabindex: "-1" });
  const element = h("article", { class: "question" },
    heading,
    h("div", { class: "question-sides" }, side(question.one, question.kind), h("span", { class: "question-sign", "aria-hidden": "true", text: "?" }), side(question.other, question.kind)),
    h("div", { class: "question-answers", role: "group", "aria-label": "Answer" },
      button("Same person", { key: "Y", onclick: () => answer("same") }),
      button("Different", { key: "N", onclick: () => answer("different") }),
      button("Not sure", { key: "U", class: "quiet-button", onclick: () => answer("unsure") }),
    ),
    h("p", { class: "question-worth", text: `The answer settles ${counted(question.settles, "face")}.` }),
  );
  return { element, focus: () => heading.focus({ preventScroll: true }) };
}

/** @param {any} about one side @param {string} kind */
function side(about, kind) {
  const images = about.show.map(() => faceImage());
  const grid = h("div", { class: `question-faces question-faces-${Math.ceil(Math.sqrt(about.show.length))}` }, ...images);
  queueMicrotask(() => {
    for (const [at, image] of images.entries()) showFace(image, about.show[at]);
  });
  const name = about.person === null ? h("strong", { text: "Seen once" }) : h("a", { href: `/people/${about.person}` }, h("strong", { text: called(about) }));
  const words = about.faces > about.show.length ? `${about.show.length} of ${counted(about.faces, "face")}` : counted(about.faces, "face");
  const part = (kind === "part" || kind === "face") && about.person !== null ? `, ${words}` : words;
  return h("figure", { class: "question-side" }, grid, h("figcaption", {}, name, h("span", { text: part.replace(/^, /, "") })));
}
