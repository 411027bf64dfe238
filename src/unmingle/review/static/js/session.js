import { get } from "./api.js";

/**
 * @typedef {{id: number, made: string, by: string, kind: string, words: string, person: number|null, faces: number,
 *   live: boolean, changed: {people: number[], faces: number}}} Decision
 * @typedef {{revision: number, decision: Decision}} Outcome
 */

/** What all pages share: the library's numbers, and what can be undone. */
export const session = {
  library: /** @type {any} */ (null), // the answer of /api/library
  undoable: /** @type {Decision|null} */ (null),
  redoable: /** @type {Decision|null} */ (null),
  questions: /** @type {number|null} */ (null), // suggestions that are left; null: nobody asked yet
};

const target = new EventTarget();

/**
 * @param {"changed"|"facts"} kind changed: a decision was made, detail is its outcome; facts: numbers of the header
 * @param {(detail: any) => void} listener
 * @returns {() => void} takes it off again
 */
export function on(kind, listener) {
  const heard = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail);
  target.addEventListener(kind, heard);
  return () => target.removeEventListener(kind, heard);
}

/** @param {"changed"|"facts"} kind @param {unknown} [detail] */
export const emit = (kind, detail) => target.dispatchEvent(new CustomEvent(kind, { detail }));

/** @type {Promise<void>|null} the answer that counts, of several asked for at once */ let newest = null;

/** Asks for the header's numbers again. @returns {Promise<void>} */
export function refreshFacts() {
  const mine = Promise.all([get("/library"), get("/decisions", { limit: 30 })]).then(([library, log]) => (newest === mine ? take(library, log) : newest ?? undefined));
  newest = mine;
  return mine;
}

function take(/** @type {any} */ library, /** @type {any} */ log) {
  session.library = library;
  session.undoable = entry(log, log.can_undo);
  session.redoable = entry(log, log.can_redo);
  emit("facts");
}

export function setQuestions(/** @type {number} */ left) {
  session.questions = left;
  emit("facts");
}

/** An entry of the log by id; one that is not among the newest has only its number. */
function entry(/** @type {{decisions: Decision[]}} */ log, /** @type {number|null} */ id) {
  if (id === null || id === undefined) return null;
  const known = log.decisions.find((decision) => decision.id === id);
  return known ?? /** @type {any} */ ({ id, words: `decision ${id}` });
}
