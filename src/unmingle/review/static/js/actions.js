import { post } from "./api.js";
import { announce } from "./dom.js";
import { showBusy, showStale } from "./refusals.js";
import { emit, refreshFacts, session } from "./session.js";
import { toast } from "./toasts.js";

/**
 * @typedef {import("./session.js").Decision} Decision
 * @typedef {import("./session.js").Outcome} Outcome
 */

/** What was sent and not answered yet, and what can be undone after it. @type {Promise<unknown>} */
let underWay = Promise.resolve();
/** Undos and redos of the last decision, one after another. @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * Keeps an undo waiting for something: what is sent when the key is pressed is what is meant by it.
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
export function inFlight(work) {
  underWay = Promise.allSettled([underWay, work]);
  return work;
}

/**
 * Runs something once everything is answered that was sent before.
 * @param {() => Promise<Outcome|null>|null} run
 * @returns {Promise<Outcome|null>}
 */
function afterAll(run) {
  const done = turn.then(async () => {
    for (let seen; seen !== underWay; await seen) seen = underWay;
    return run();
  });
  turn = done.catch(() => {});
  return done;
}

/**
 * Makes a decision and tells every part of the page. A refusal is told in its own words.
 * @param {{kind: string} & Record<string, unknown>} body
 * @param {{seen?: number|null}} [view] the revision that was on show
 * @returns {Promise<Outcome|null>} null: nothing was changed
 */
export const decide = (body, view = {}) => carryOut("/decisions", { ...body, ...seenOf(view) });

/**
 * @param {string} question
 * @param {"same"|"different"|"unsure"} answer
 * @param {{seen?: number|null}} view
 */
export const answerQuestion = (question, answer, view) =>
  post(`/questions/${encodeURIComponent(question)}`, { answer, ...seenOf(view) });

/** @param {{seen?: number|null}} view */
const seenOf = (view) => (view.seen === null || view.seen === undefined ? {} : { seen: view.seen });

/** @param {number} [decision] the last that can be, if left out @returns {Promise<Outcome|null>} */
export function undo(decision) {
  if (decision !== undefined) return carryOut("/undo", { decision }, { undoes: decision });
  return afterAll(() => (session.undoable ? undo(session.undoable.id) : say("There is nothing to undo.")));
}

/** @param {number} [decision] the last that was undone, if left out @returns {Promise<Outcome|null>} */
export function redo(decision) {
  if (decision !== undefined) return carryOut("/redo", { decision }, { redoes: decision });
  return afterAll(() => (session.redoable ? redo(session.redoable.id) : say("There is nothing to redo.")));
}

/** @param {string} words */
function say(words) {
  toast(words);
  return null;
}

/**
 * @param {string} path
 * @param {object} body
 * @param {{undoes?: number, redoes?: number}} [about]
 * @returns {Promise<Outcome|null>}
 */
async function carryOut(path, body, about = {}) {
  try {
    const outcome = await inFlight(post(path, body));
    settled(outcome, about);
    return outcome;
  } catch (error) {
    return refused(/** @type {any} */ (error), () => carryOut(path, body, about));
  }
}

/**
 * What follows every decision: words, an Undo beside them, and fresh numbers.
 * @param {Outcome} outcome
 * @param {{undoes?: number, redoes?: number, quiet?: boolean}} [about]
 */
export function settled(outcome, about = {}) {
  const { decision } = outcome;
  announce(decision.words);
  if (!about.quiet) toast(decision.words, wayBack(decision, about));
  emit("changed", { ...outcome, ...about });
  inFlight(refreshFacts().catch(() => {}));
}

/** @param {Decision} decision @param {{undoes?: number}} about */
function wayBack(decision, about) {
  if (about.undoes !== undefined) return { words: "Redo", run: () => redo(about.undoes) };
  const id = decision.kind === "redo" ? undefined : decision.id;
  return { words: "Undo", run: () => undo(id) };
}

/**
 * @param {import("./api.js").ApiError} error
 * @param {() => Promise<Outcome|null>} again
 */
async function refused(error, again) {
  if (error.status === 409) {
    await showStale(error);
    emit("changed", null);
    refreshFacts().catch(() => {});
  } else if (error.status === 423) {
    if (await showBusy(error)) return again();
  } else {
    toast([error.problem ?? error.message, error.mend].filter(Boolean).join(" "), undefined, { stays: true });
  }
  return null;
}
