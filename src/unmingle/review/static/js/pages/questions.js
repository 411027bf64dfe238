import { answerQuestion, settled } from "../actions.js";
import { get } from "../api.js";
import { announce, h } from "../dom.js";
import { counted, number } from "../format.js";
import { bind } from "../keyboard.js";
import { questionCard } from "../question-card.js";
import { showBusy } from "../refusals.js";
import { setTitle } from "../router.js";
import { on, setQuestions } from "../session.js";
import { emptyState, errorState } from "../states.js";
import { warm } from "../thumbs.js";
import { toast } from "../toasts.js";

const AHEAD = 10; // questions fetched at a time
const POLL = 700; // milliseconds between two looks while questions are worked out

let answered = 0; // in this session, over all visits of this page

/** One question at a time, the most useful first. @type {import("../router.js").Mount} */
export function mount(root) {
  setTitle("Suggestions");
  /** @type {any[]} */
  let queue = [];
  /** @type {Set<string>} answered here, and perhaps still in the server's list */
  const done = new Set();
  let left = 0;
  let ready = true;
  /** @type {Promise<unknown>} answers go out one after another, however fast they are given */
  let sending = Promise.resolve();
  let stopped = false;
  let timer = 0;

  const progress = h("p", { class: "question-progress" });
  const place = h("div", { class: "question-place" });
  root.append(h("h1", { class: "unseen", text: "Suggestions" }), progress, place);

  async function load() {
    clearTimeout(timer);
    try {
      const page = await get("/questions", { limit: AHEAD + done.size });
      if (stopped) return;
      const shown = queue[0]?.id;
      queue = page.questions.filter((/** @type {any} */ question) => !done.has(question.id));
      if (shown && queue.some(({ id }) => id === shown)) queue.sort((one, other) => Number(other.id === shown) - Number(one.id === shown));
      ready = page.ready;
      left = Math.max(queue.length, page.left - (page.questions.length - queue.length));
      setQuestions(left);
      show();
      if (!ready) timer = window.setTimeout(load, POLL);
    } catch (error) {
      if (!stopped) place.replaceChildren(errorState(error, load));
    }
  }

  /** @type {string|null} */
  let drawn = null;

  function show() {
    const question = queue[0];
    progress.replaceChildren(...facts());
    for (const next of queue.slice(1, 3)) warm([...next.one.show, ...next.other.show]);
    if (!question) {
      drawn = null;
      return place.replaceChildren(nothing());
    }
    if (drawn === question.id) return undefined;
    drawn = question.id;
    const card = questionCard(question, answer);
    place.replaceChildren(card.element);
    card.focus();
    announce(question.text);
    return undefined;
  }

  function facts() {
    const parts = [];
    if (left) parts.push(h("span", { text: `${number(left)} to answer` }));
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

  /** @param {"same"|"different"|"unsure"} said */
  function answer(said) {
    const question = queue[0];
    if (!question) return;
    // The next question is there at once; if the answer is refused, this one comes back.
    queue = queue.slice(1);
    done.add(question.id);
    left = Math.max(0, left - 1);
    answered += 1;
    show();
    sending = sending
      .then(() => answerQuestion(question.id, said, {}))
      .then((outcome) => settled(outcome, { quiet: true }))
      .catch((error) => refused(question, said, error));
  }

  /** @param {any} question @param {"same"|"different"|"unsure"} said @param {import("../api.js").ApiError} error */
  async function refused(question, said, error) {
    answered -= 1;
    if (error.status === 409) {
      toast("That question no longer stands, since something changed.");
      return load();
    }
    done.delete(question.id);
    queue = [question, ...queue];
    left += 1;
    show();
    if (error.status !== 423) return toast([error.problem, error.mend].filter(Boolean).join(" "), undefined, { stays: true });
    if (await showBusy(error)) return answer(said);
    return undefined;
  }

  /** A decision was made, here or elsewhere. @param {any} outcome */
  function changed(outcome) {
    if (outcome?.undoes !== undefined || outcome === null) {
      if (outcome?.undoes !== undefined && answered) answered -= 1;
      done.clear();
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
