import { emit, post, refreshFacts, session } from "./api.js";
import { openDialog, toast } from "./dialogs.js";
import { announce, button, clock, counted, h, typing } from "./dom.js";
import { go } from "./router.js";

/** @typedef {import("./api.js").ApiError} ApiError */

/** What was sent and not answered yet, and what can be undone after it. @type {Promise<unknown>} */ let underWay = Promise.resolve();
/** Decisions go out one after another, in the order in which they were made. @type {Promise<unknown>} */ let line = Promise.resolve();
/** Undos and redos of the last decision, one after another. @type {Promise<unknown>} */ let turn = Promise.resolve();
/** Entries of the log that were made here, or that somebody was told of. @type {Set<number>} */ const known = new Set();

function inFlight(/** @type {Promise<unknown>} */ work) {
  underWay = Promise.allSettled([underWay, work]);
}

/** Runs something once everything is answered that was sent before. @template T @param {() => Promise<T>} run @returns {Promise<T>} */
export function inTurn(run) {
  const done = line.then(run, run);
  line = done;
  inFlight(done);
  return done;
}

/** Sends a decision; if it was refused only for what was decided here meanwhile, again. @type {Send} */
export async function send(path, body, seen) {
  for (let looked = seen ?? undefined; ; ) {
    try {
      while (looked !== undefined && known.has(looked + 1)) looked += 1;
      const outcome = await post(path, { ...body, seen: looked });
      for (let back = 0; back < outcome.entries; back += 1) known.add(outcome.decision.id - back);
      return outcome;
    } catch (error) {
      const ids = (/** @type {ApiError} */ (error).since ?? []).map(({ id }) => id);
      const own = ids.length > 0 && ids.every((id) => known.has(id));
      for (const id of ids) known.add(id); // whoever is told of them and goes on knows
      if (!own) throw error;
      looked = Math.max(...ids);
    }
  }
}

/** Makes a decision and tells every part of the page; null: it was refused, which is told too. @type {Decide} */
export const decide = (body, seen) => carryOut("/decisions", body, {}, seen);

/** Erases a person for good; leave: goes to where they are not. @param {number} person @param {number|null} seen @param {() => void} leave */
export async function erase(person, seen, leave) {
  try {
    const outcome = await inTurn(() => send("/erase", { person }, seen));
    leave();
    settled(outcome, { quiet: true });
    const { decision, pages, exports } = /** @type {Schemas["Erased"]} */ (outcome);
    const parts = [`${decision.words}.`, pages && `Deleted: ${counted(pages, "report or other page", "reports and other pages")}.`];
    if (exports) parts.push(`${counted(exports, "export")} left before and can't be called back: unmingle privacy lists them.`);
    toast(parts.filter(Boolean).join(" "), undefined, { stays: exports > 0 });
  } catch (error) {
    await refused(/** @type {any} */ (error), {}, () => void erase(person, null, leave));
  }
}

/** Undoes a decision: the last that can be, if none is given; together: with all that were made with it. @type {Again} */
export const undo = (decision, together = false) => (decision === undefined ? last("undo") : carryOut("/undo", { decision, together }, { undoes: decision }));
/** @type {Again} */
export const redo = (decision, together = false) => (decision === undefined ? last("redo") : carryOut("/redo", { decision, together }));

/** Once all is answered, and known what can be undone then: what was sent before the key is meant. @param {"undo"|"redo"} verb */
function last(verb) {
  const done = turn.then(async () => {
    for (let seen; seen !== underWay; await seen) seen = underWay;
    const decision = verb === "undo" ? session.undoable : session.redoable;
    if (decision) return (verb === "undo" ? undo : redo)(decision.id, true);
    toast(`There is nothing to ${verb}.`);
    return null;
  });
  turn = done.catch(() => {});
  return done;
}

/** Makes decisions that one Undo takes back; those that no longer stand because of others are left out. @type {DecideTogether} */
export async function decideTogether(bodies, seen, words, progress) {
  /** @type {Outcome|undefined} */ let newest;
  /** @type {number|undefined} */ let group;
  let taken = 0;
  await inTurn(async () => {
    for (const { path = "/decisions", ...body } of bodies) {
      try {
        newest = await send(path, { ...body, group }, newest?.revision ?? seen);
        group ??= newest.decision.id;
        taken += 1;
        progress?.(taken);
      } catch (error) {
        if (/** @type {any} */ (error).status !== 409) return tell(error);
      }
    }
  });
  toast(words(taken), group === undefined ? undefined : { words: "Undo", run: () => undo(group, true) });
  emit("changed", newest ? { ...newest, quiet: true } : null);
  inFlight(refreshFacts().catch(() => {}));
  return taken;
}

/** @param {string} path @param {any} body @param {Told} [about] @param {number|null} [seen] @returns {Promise<Outcome|null>} */
async function carryOut(path, body, about, seen) {
  try {
    const outcome = await inTurn(() => send(path, body, seen));
    settled(outcome, about);
    return outcome;
  } catch (error) {
    await refused(/** @type {any} */ (error), body, () => carryOut(path, body, about));
    return null;
  }
}

/** What follows every decision: words, an Undo beside them, and fresh numbers. @param {Outcome} outcome @param {Told} [about] */
export function settled(outcome, about = {}) {
  const { decision } = outcome;
  announce(decision.words);
  const undone = about.undoes;
  const back = () => undo(decision.kind === "redo" ? undefined : decision.id, true);
  const address = `/people/${decision.person}`;
  const open = ["merge", "split", "assign"].includes(decision.kind) && location.pathname !== address ? [{ words: "Open", run: () => go(address) }] : [];
  if (decision.kind === "split") open.push({ words: "Name", run: () => go(address, { state: { naming: true } }) });
  if (!about.quiet) toast(decision.words, [undone === undefined ? { words: "Undo", run: back } : { words: "Redo", run: () => redo(undone, outcome.entries > 1) }, ...open]);
  emit("changed", { ...outcome, ...about });
  inFlight(refreshFacts().catch(() => {}));
}

/** Who is typing is not asked anything: the next letter would answer. @param {ApiError} error @param {any} body @param {() => void} again */
async function refused(error, body, again) {
  if (error.status !== 409) return tell(error, again);
  const what = body.kind === "name" && body.name ? `“${body.name}” was not saved` : "Nothing of yours was done";
  emit("changed", null);
  refreshFacts().catch(() => {});
  if (typing(document.activeElement)) return toast(`${what}. ${error.problem}`, { words: "Do it anyway", run: again }, { stays: true });
  const lines = error.since.map(({ made, words }) => h("li", {}, h("time", { text: clock(made) }), h("span", { text: words })));
  return openDialog("This changed while you were looking", (close) => ({
    body: [
      h("p", { text: `${what}, so nothing is lost. Meanwhile:` }),
      lines.length ? h("ul", { class: "since" }, ...lines) : h("p", { text: error.problem }),
    ],
    foot: [button("Show how it is now", { primary: true, onclick: () => close(), attrs: { autofocus: true } })],
  }));
}

/** Says what went wrong; while another run is writing, it may be tried again. @param {any} error @param {() => void} [again] */
export function tell(error, again) {
  const words = [error.problem ?? error.message, error.mend].filter(Boolean).join(" ");
  toast(words, error.status === 423 && again ? { words: "Try again", run: again } : undefined, { stays: true });
}
