import { post } from "./api.js";
import { ask } from "./dialog.js";
import { announce, h } from "./dom.js";
import { clock } from "./format.js";
import { typing } from "./keyboard.js";
import { emit, refreshFacts, session } from "./session.js";
import { toast } from "./toasts.js";

/**
 * @typedef {import("./session.js").Decision} Decision
 * @typedef {import("./session.js").Outcome} Outcome
 * @typedef {import("./api.js").ApiError} ApiError
 */

/** What was sent and not answered yet, and what can be undone after it. @type {Promise<unknown>} */ let underWay = Promise.resolve();
/** Decisions go out one after another, in the order in which they were made. @type {Promise<unknown>} */ let line = Promise.resolve();
/** Undos and redos of the last decision, one after another. @type {Promise<unknown>} */ let turn = Promise.resolve();
/** Entries of the log that were made here, or that somebody was told of. @type {Set<number>} */ const known = new Set();

/** @template T @param {Promise<T>} work @returns {Promise<T>} */
function inFlight(work) {
  underWay = Promise.allSettled([underWay, work]);
  return work;
}

/** Runs something once everything is answered that was sent before. @template T @param {() => Promise<T>} run @returns {Promise<T>} */
export function inTurn(run) {
  const done = line.then(run, run);
  line = done;
  return inFlight(done);
}

/** As `inTurn`, and when it is known too what can be undone then: what is sent when the key is pressed is what is meant. @returns {Promise<Outcome|null>} */
function afterAll(/** @type {() => Promise<Outcome|null>|null} */ run) {
  const done = turn.then(async () => {
    for (let seen; seen !== underWay; await seen) seen = underWay;
    return run();
  });
  turn = done.catch(() => {});
  return done;
}

/**
 * Sends a decision. If it was refused only for what was decided here meanwhile, it is sent again.
 * @param {string} path @param {object} body @param {{seen?: number|null}} [view]
 * @returns {Promise<Outcome>}
 */
export async function send(path, body, { seen } = {}) {
  for (let looked = seen ?? undefined; ; ) {
    try {
      while (looked !== undefined && known.has(looked + 1)) looked += 1;
      const outcome = await post(path, { ...body, seen: looked });
      known.add(outcome.decision.id);
      return outcome;
    } catch (error) {
      const ids = /** @type {ApiError} */ (error).since?.map(({ id }) => id) ?? [];
      const own = ids.length > 0 && ids.every((id) => known.has(id));
      for (const id of ids) known.add(id); // whoever is told of them and goes on knows
      if (!own) throw error;
      looked = Math.max(...ids);
    }
  }
}

/**
 * Makes a decision and tells every part of the page. A refusal is told in its own words.
 * @param {{kind: string} & Record<string, unknown>} body
 * @param {{seen?: number|null}} [view] the revision that was on show
 * @returns {Promise<Outcome|null>} null: nothing was changed
 */
export const decide = (body, view = {}) => carryOut("/decisions", body, {}, view);

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

const say = (/** @type {string} */ words) => toast(words) ?? null;

/**
 * @param {string} path
 * @param {any} body
 * @param {{undoes?: number, redoes?: number}} [about]
 * @param {{seen?: number|null}} [view]
 * @returns {Promise<Outcome|null>}
 */
async function carryOut(path, body, about = {}, view = {}) {
  try {
    const outcome = await inTurn(() => send(path, body, view));
    settled(outcome, about);
    return outcome;
  } catch (error) {
    return refused(/** @type {any} */ (error), body, () => carryOut(path, body, about));
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

function wayBack(/** @type {Decision} */ decision, /** @type {{undoes?: number}} */ about) {
  if (about.undoes !== undefined) return { words: "Redo", run: () => redo(about.undoes) };
  const id = decision.kind === "redo" ? undefined : decision.id;
  return { words: "Undo", run: () => undo(id) };
}

/**
 * Who is typing is not asked anything: the answer would be a letter of something else.
 * @param {ApiError} error @param {any} body @param {() => Promise<Outcome|null>} again
 */
async function refused(error, body, again) {
  const what = body.kind === "name" && body.name ? `“${body.name}” was not saved` : "Nothing of yours was done";
  if (error.status === 409) {
    emit("changed", null);
    refreshFacts().catch(() => {});
    if (typing(document.activeElement)) toast(`${what}. ${error.problem}`, { words: "Do it anyway", run: again }, { stays: true });
    else await showStale(error, what);
  } else tell(error, again);
  return null;
}

/** Says what went wrong; while another run is writing, it may be tried again. @param {any} error @param {() => void} [again] */
export function tell(error, again) {
  const words = [error.problem ?? error.message, error.mend].filter(Boolean).join(" ");
  toast(words, error.status === 423 && again ? { words: "Try again", run: again } : undefined, { stays: true });
}

/** Somebody else changed what this view shows. @param {ApiError} error @param {string} what was not done */
async function showStale(error, what) {
  const lines = /** @type {Decision[]} */ (error.since).map((decision) =>
    h("li", {}, h("time", { text: clock(decision.made) }), h("span", { text: decision.words })),
  );
  await ask({
    title: "This changed while you were looking",
    body: [
      h("p", { text: `${what}, so nothing is lost. Meanwhile:` }),
      lines.length ? h("ul", { class: "since" }, ...lines) : h("p", { text: error.problem }),
    ],
    choices: [{ words: "Show how it is now", value: "ok", primary: true }],
  });
}
