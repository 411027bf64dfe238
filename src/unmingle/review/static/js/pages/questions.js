import { inTurn, send, settled, tell } from "../actions.js";
import { get } from "../api.js";
import { announce, button, h } from "../dom.js";
import { called, counted, number } from "../format.js";
import { bind } from "../keyboard.js";
import { setTitle } from "../router.js";
import { on, setQuestions } from "../session.js";
import { faceImage, showFace, warm } from "../thumbs.js";
import { emptyState, errorState, toast } from "../toasts.js";

const MOST = 200; // questions, all that the server has at a time: of what is on show it has to be known whether it still stands
const POLL = 700; // milliseconds between two looks while questions are worked out

let answered = 0; // in this session, over all visits of this page
/** The questions that were answered in this session, by the decision that came of each. @type {Map<number, any>} */ const given = new Map();

/** One question at a time, the most useful first. @type {import("../router.js").Mount} */
export function mount(root) {
  setTitle("Suggestions");
  /** @type {any[]} */ let queue = [];
  /** @type {Set<string>} those not to be shown again: on their way, put off, or out of date */ const done = new Set();
  let ready = true;
  /** @type {number|null} what is on show is as of this entry of the log, or of one's own answers since */ let looked = null;
  /** @type {any} one whose answer was undone, until the server asks it again */ let back = null;
  let stopped = false;
  let timer = 0;
  let wave = 0;

  const progress = h("p", { class: "question-progress" });
  const place = h("div", { class: "question-place" });
  root.append(h("h1", { class: "unseen", text: "Suggestions" }), progress, place);

  async function load() {
    clearTimeout(timer);
    wave += 1;
    const mine = wave;
    try {
      const page = await get("/questions", { limit: MOST });
      if (stopped || mine !== wave) return;
      take(page);
      setQuestions(queue.length);
      show();
      if (!ready) timer = window.setTimeout(load, POLL);
    } catch (error) {
      if (stopped || mine !== wave) return;
      drawn = "";
      place.replaceChildren(errorState(error, load));
    }
  }

  /** What is on show stays so, as long as it is asked. @param {any} page */
  function take(page) {
    const shown = queue[0]?.id;
    queue = page.questions.filter((/** @type {any} */ question) => !done.has(question.id));
    queue.sort((one, other) => Number(other.id === shown) - Number(one.id === shown));
    if (back && (page.ready || queue.some(({ id }) => id === back.id))) back = null;
    if (back) queue.unshift(back);
    ready = page.ready;
    looked = Math.max(looked ?? 0, page.revision);
  }

  let drawn = ""; // what is in its place now

  function show() {
    const question = queue[0];
    progress.replaceChildren(...facts());
    for (const next of queue.slice(1, 3)) warm([...next.one.show, ...next.other.show]);
    const looks = JSON.stringify(question ? [question.id, question.text, question.one, question.other] : [ready, answered]);
    if (drawn === looks) return;
    drawn = looks;
    if (!question) return place.replaceChildren(nothing());
    const card = questionCard(question, answer);
    place.replaceChildren(card.element);
    card.focus();
    announce(question.text);
  }

  function facts() {
    const parts = [];
    if (queue.length) parts.push(h("span", { text: `${number(queue.length)} to answer` }));
    if (answered) parts.push(h("span", { text: `${number(answered)} answered` }));
    if (!ready && queue.length) parts.push(h("span", { class: "quiet", text: "looking for better ones…" }));
    return parts;
  }

  function nothing() {
    if (!ready) return h("div", { class: "question-wait", role: "status" }, h("p", { text: "Working out what is most worth asking…" }));
    const words = answered
      ? `You answered ${counted(answered, "question")}. As far as the program can tell, everybody is where they belong.`
      : "As far as the program can tell, everybody is where they belong.";
    return emptyState("Nothing to ask", words, h("p", {}, h("a", { class: "button primary", href: "/", text: "All people" })));
  }

  function answer(/** @type {"same"|"different"|"unsure"} */ said) {
    const question = queue[0];
    if (!question) return;
    // The next question is there at once; if the answer is refused, this one comes back.
    queue = queue.slice(1);
    done.add(question.id);
    answered += 1;
    const returned = back?.id === question.id;
    if (returned) back = null;
    show();
    void inTurn(() => give(question, said, returned)); // one after another, however fast they are given
  }

  /** @param {any} question @param {"same"|"different"|"unsure"} said @param {boolean} returned its answer was undone */
  async function give(question, said, returned) {
    try {
      if (returned) await asked(question);
      const outcome = await send(`/questions/${encodeURIComponent(question.id)}`, { answer: said }, { seen: looked });
      looked = Math.max(looked ?? 0, outcome.revision);
      given.set(outcome.decision.id, question);
      if (said !== "unsure") done.delete(question.id);
      settled(outcome, { quiet: true });
    } catch (error) {
      // Not awaited: what it asks must not hold up the answers after this one.
      void refused(question, said, /** @type {any} */ (error));
    }
  }

  /** Resolves once the server asks a question again whose answer was undone. @param {any} question */
  async function asked(question) {
    for (let known = false; !known && !stopped; ) {
      const page = await get("/questions", { limit: MOST });
      known = page.ready || page.questions.some((/** @type {any} */ one) => one.id === question.id);
      if (!known) await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  async function refused(/** @type {any} */ question, /** @type {"same"|"different"|"unsure"} */ said, /** @type {import("../api.js").ApiError} */ error) {
    answered -= 1;
    if (error.status === 409) {
      toast(`“${question.text}” no longer stands, since something changed: your answer was not taken.`);
      return load();
    }
    done.delete(question.id);
    queue = [question, ...queue];
    show();
    return tell(error, () => queue[0]?.id === question.id && answer(said));
  }

  /** A decision was made, here or elsewhere. @param {any} outcome */
  function changed(outcome) {
    if (outcome?.revision) looked = Math.max(looked ?? 0, outcome.revision);
    const question = given.get(outcome?.undoes);
    if (question) {
      given.delete(outcome.undoes);
      done.delete(question.id);
      answered -= 1;
      back = question;
      queue = [question, ...queue.filter(({ id }) => id !== question.id)];
      show();
    }
    load();
  }

  const unbind = bind({
    title: "Suggestions",
    bindings: [
      { keys: ["y", "1"], words: "Same person", run: () => answer("same") },
      { keys: ["n", "2"], words: "Different", run: () => answer("different") },
      { keys: ["u", "3", "Space"], words: "Not sure", run: () => answer("unsure") },
    ],
  });
  const unheard = on("changed", changed);
  load();
  return {
    unmount: () => {
      stopped = true;
      clearTimeout(timer);
      unbind();
      unheard();
    },
  };
}

/**
 * One question: both sides large, and the answers.
 * @param {any} question a record of /api/questions
 * @param {(answer: "same"|"different"|"unsure") => void} answer
 */
function questionCard(question, answer) {
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
