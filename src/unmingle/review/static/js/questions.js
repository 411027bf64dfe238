import { decided, get, onDecision, thumbnail } from "./api.js";
import { faceImages, mosaic } from "./cells.js";
import { decideTogether, inTurn, send, tell } from "./decisions.js";
import { confirmed, emptyState, fillIn, linkButton, toast } from "./dialogs.js";
import { announce, button, called, counted, h, number, partOf, percent, spans } from "./dom.js";
import { bind } from "./keyboard.js";

/** @typedef {Schemas["Question"]} Question @typedef {Schemas["AnswerRequest"]["answer"]} Answer */

const MOST = 200; // questions, all that the server has at a time: of what is on show it has to be known whether it still stands
const POLL = 700; // milliseconds between two looks while questions are worked out

let answered = 0; // in this session, over all visits of this page
/** The questions that were answered in this session, by the decision that came of each. @type {Map<number, Question>} */ const given = new Map();

/** One question at a time, the most useful first. @type {Mount} */
export function questions(root, { signal }) {
  /** @type {Question[]} */ let queue = [];
  /** @type {Set<string>} those not to be shown again: on their way, put off, or out of date */ const done = new Set();
  let ready = true;
  let looked = 0; // what is on show is as of this entry of the log, or of one's own answers since
  let timer = 0;
  const bulk = inBulk((said, chosen) => void answerAll(said, chosen));
  const progress = h("p", { class: "question-progress" });
  const place = h("div", { class: "question-place" });
  root.append(h("h1", { class: "unseen", text: "Suggestions" }), progress, place, bulk.element);

  function load() {
    clearTimeout(timer);
    return fillIn(place, async () => {
      const page = await get("/questions", { limit: MOST }, signal);
      if (page.revision < looked) return; // it was overtaken by an answer, after which all is asked for again
      take(page);
      show();
      if (!ready) timer = window.setTimeout(load, POLL);
    });
  }

  /** What is on show stays so, as long as it is asked. @param {Schemas["Questions"]} page */
  function take(page) {
    const shown = queue[0]?.id;
    queue = page.questions.filter(({ id }) => !done.has(id));
    queue.sort((one, other) => Number(other.id === shown) - Number(one.id === shown));
    ready = page.ready;
    looked = page.revision;
  }

  function show() {
    const question = queue[0];
    const left = queue.length;
    progress.replaceChildren(...spans(left && `${number(left)} to answer`, answered && `${number(answered)} answered`, !ready && left && "looking for better ones…"));
    bulk.show(queue);
    for (const { one, other } of queue.slice(1, 3)) for (const face of [...one.show, ...other.show]) new Image().src = thumbnail(face);
    const looks = JSON.stringify(question ? [question.id, question.text, question.one, question.other] : [ready, answered]);
    if (partOf(place, "[data-looks]")?.dataset.looks === looks) return;
    place.replaceChildren(h("div", { "data-looks": looks }, question ? questionCard(question, answer) : nothing()));
    if (!question) return;
    partOf(place, ".question-text")?.focus({ preventScroll: true });
    announce(question.text);
  }

  function nothing() {
    if (!ready) return h("div", { class: "question-wait", role: "status" }, h("p", { text: "Working out what is most worth asking…" }));
    const words = "As far as the program can tell, everybody is where they belong.";
    const before = answered ? `You answered ${counted(answered, "question")}. ` : "";
    return emptyState("Nothing to ask", before + words, linkButton("All people", "/"));
  }

  function answer(/** @type {Answer} */ said) {
    const question = queue[0];
    if (!question) return;
    // The next question is there at once; if the answer is refused, this one comes back.
    queue = queue.slice(1);
    done.add(question.id);
    answered += 1;
    show();
    void inTurn(() => give(question, said)); // one after another, however fast they are given
  }

  /** The same answer to many. @param {Answer} said @param {Question[]} chosen */
  async function answerAll(said, chosen) {
    for (const { id } of chosen) done.add(id);
    queue = queue.filter(({ id }) => !done.has(id));
    show();
    const bodies = chosen.map(({ id }) => ({ path: `/questions/${encodeURIComponent(id)}`, answer: said }));
    const words = (/** @type {number} */ taken) => `${counted(taken, "suggestion")}: ${said === "same" ? "the same person" : "different people"}.`;
    answered += await decideTogether(bodies, looked, words, (taken) => progress.replaceChildren(...spans(`${taken} of ${chosen.length}`)));
    for (const { id } of chosen) done.delete(id); // the server knows them as answered; what it asks after an undo is to be shown
    void load();
  }

  /** @param {Question} question @param {Answer} said */
  async function give(question, said) {
    try {
      const outcome = await send(`/questions/${encodeURIComponent(question.id)}`, { answer: said }, looked);
      looked = Math.max(looked, outcome.revision);
      given.set(outcome.decision.id, question);
      if (said !== "unsure") done.delete(question.id);
      announce(outcome.decision.words);
      decided(outcome);
    } catch (error) {
      if (/** @type {any} */ (error).status !== 409) {
        putBack(question);
        return tell(error, () => queue[0]?.id === question.id && answer(said));
      }
      answered -= 1;
      toast(`“${question.text}” no longer stands, since something changed: your answer was not taken.`);
      void load(); // what it brings must not hold up the answers after this one
    }
    return undefined;
  }

  /** It is asked again, before all others. @param {Question} question */
  function putBack(question) {
    done.delete(question.id);
    answered -= 1;
    queue = [question, ...queue.filter(({ id }) => id !== question.id)];
    show();
  }

  /** A decision was made, here or elsewhere. @param {any} outcome */
  function hear(outcome) {
    if (outcome?.revision) looked = Math.max(looked, outcome.revision);
    const undone = outcome?.decision.target;
    const question = given.get(undone);
    given.delete(undone);
    if (question) putBack(question);
    void load();
  }

  bind("Suggestions", [
    { keys: ["y", "1"], words: "Same person", run: () => answer("same") },
    { keys: ["n", "2"], words: "Different", run: () => answer("different") },
    { keys: ["u", "3", "Space"], words: "Not sure", run: () => answer("unsure") },
  ], signal);
  onDecision(hear, signal);
  void load();
  return {};
}

/** Answers to all that are likelier than a share, shown before they are given. @param {(said: Answer, chosen: Question[]) => void} give */
function inBulk(give) {
  /** @type {Question[]} */ let queue = [];
  const range = h("input", { type: "range", min: 50, max: 99, value: 95, "aria-label": "How sure, in percent", oninput: () => tell() });
  const same = button("", { class: "quiet-button", onclick: () => void ask("same") });
  const different = button("", { class: "quiet-button", onclick: () => void ask("different") });
  const element = h("div", { class: "doubts", hidden: true }, range, same, different);
  const of = (/** @type {Answer} */ said) => queue.filter(({ probability }) => (said === "same" ? probability : 1 - probability) >= range.valueAsNumber / 100);
  function tell() {
    element.hidden = queue.length < 2;
    const words = { same: `Accept the ${of("same").length} at ${range.value} % or more`, different: `Refuse the ${of("different").length} at ${100 - range.valueAsNumber} % or less` };
    for (const [act, said] of /** @type {const} */ ([[same, "same"], [different, "different"]])) {
      act.firstElementChild?.replaceChildren(words[said]);
      act.disabled = !of(said).length;
    }
  }

  async function ask(/** @type {"same"|"different"} */ said) {
    const chosen = of(said);
    const rows = chosen.map(({ one, other, probability }) => h("li", {}, ...[one, other].map(({ show }) => h("div", {}, ...faceImages(show.slice(0, 2)))), h("span", { text: percent(probability) })));
    const title = said === "same" ? "Each of these is one person" : "Each of these is two people";
    const meant = await confirmed(title, [h("ul", { class: "bulk" }, ...rows)], `${said === "same" ? "Accept" : "Refuse"} ${chosen.length}`, true);
    if (meant) give(said, chosen);
  }

  return {
    element,
    show: (/** @type {Question[]} */ now) => {
      queue = now;
      tell();
    },
  };
}

/** One question: both sides large, and the answers. @param {Question} question @param {(answer: Answer) => void} answer */
const questionCard = ({ text, one, other, settles }, answer) =>
  h("article", { class: "question" },
    h("h2", { class: "question-text", text, tabindex: "-1" }),
    h("div", { class: "question-sides" }, side(one), h("span", { class: "question-sign", "aria-hidden": "true", text: "?" }), side(other)),
    h("div", { class: "question-answers", role: "group", "aria-label": "Answer" },
      button("Same person", { key: "Y", onclick: () => answer("same") }),
      button("Different", { key: "N", onclick: () => answer("different") }),
      button("Not sure", { key: "U", class: "quiet-button", onclick: () => answer("unsure") }),
    ),
    h("p", { class: "question-worth", text: `The answer settles ${counted(settles, "face")}.` }),
  );

function side(/** @type {Schemas["Side"]} */ about) {
  const { person, faces, show } = about;
  const name = person === null ? h("strong", { text: "Seen once" }) : h("a", { href: `/people/${person}` }, h("strong", { text: called(about) }));
  const text = faces > show.length ? `${show.length} of ${counted(faces, "face")}` : counted(faces, "face");
  return h("figure", { class: "question-side" }, mosaic(show), h("figcaption", {}, name, h("span", { text })));
}
