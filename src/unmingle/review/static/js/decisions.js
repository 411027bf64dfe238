import { decided, post } from "./api.js";
import { closing, openDialog, toast } from "./dialogs.js";
import { announce, clock, counted, h, typing } from "./dom.js";
import { go } from "./router.js";

/** Decisions go out one after another, in the order in which they were made. @type {Promise<unknown>} */ let line = Promise.resolve();
/** Entries of the log that were made here, or that somebody was told of. @type {Set<number>} */ const known = new Set();

/** Runs something once everything is answered that was sent before. @template T @param {() => Promise<T>} run @returns {Promise<T>} */
export function inTurn(run) {
  const done = line.then(run);
  line = done.catch(() => {});
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
      const ids = (/** @type {import("./api.js").ApiError} */ (error).since ?? []).map(({ id }) => id);
      const own = ids.length > 0 && ids.every((id) => known.has(id));
      for (const id of ids) known.add(id); // whoever is told of them and goes on knows
      if (!own) throw error;
      looked = Math.max(...ids);
    }
  }
}

/** Makes a decision, or the one that is found out when its turn comes, and tells every part of the page; null: there is none, or it was refused, which is told too. @type {Decide} */
export const decide = (body, seen) => carryOut("/decisions", body, seen, told);

/** Erases a person for good; leave: goes to where they are not. @param {number} person @param {number|null} seen @param {() => void} leave */
export const erase = (person, seen, leave) => carryOut("/erase", { person }, seen, (outcome) => {
  leave();
  const { decision, pages, exports } = /** @type {Schemas["Erased"]} */ (outcome);
  const parts = [`${decision.words}.`, pages && `Deleted: ${counted(pages, "report or other page", "reports and other pages")}.`];
  if (exports) parts.push(`${counted(exports, "export")} left before and can't be called back: unmingle privacy lists them.`);
  toast(parts.filter(Boolean).join(" "), undefined, { stays: exports > 0 });
});

/** Undoes a decision; together: with all that were made with it. Without one: the last that stands once all is done that was begun before. @type {Again} */
export const undo = (decision, together) => carryOut("/undo", { decision, together }, null, told);
/** @type {Again} */
export const redo = (decision, together) => carryOut("/redo", { decision, together }, null, told);

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
  decided(newest ?? null);
  return taken;
}

/** @param {string} path @param {any} body @param {number|null|undefined} seen @param {(outcome: Outcome) => void} told says what came of it @returns {Promise<Outcome|null>} */
async function carryOut(path, body, seen, told) {
  let meant = body;
  try {
    const outcome = await inTurn(async () => {
      if (typeof body === "function") meant = await body(seen);
      return meant && send(path, meant, seen);
    });
    return outcome ? tellAll(outcome, told) : null;
  } catch (error) {
    await refused(/** @type {any} */ (error), meant, () => carryOut(path, meant, null, told));
    return null;
  }
}

/** Tells every part of the page of a decision. @param {Outcome} outcome @param {(outcome: Outcome) => void} [say] what came of it */
export function tellAll(outcome, say = told) {
  announce(outcome.decision.words);
  say(outcome);
  decided(outcome);
  return outcome;
}

/** What a decision did, and an Undo or a Redo beside it. @param {Outcome} outcome */
function told({ decision: { id, kind, words, person, target }, entries }) {
  const back = kind === "undo" ? { words: "Redo", run: () => redo(target ?? id, entries > 1) } : { words: "Undo", run: () => undo(target ?? id, true) };
  const address = `/people/${person}`;
  const open = ["merge", "split", "assign"].includes(kind) && location.pathname !== address ? [{ words: "Open", run: () => go(address) }] : [];
  if (kind === "split") open.push({ words: "Name", run: () => go(address, { state: { naming: true } }) });
  toast(words, [back, ...open]);
}

/** Who is typing is not asked anything: the next letter would answer. @param {import("./api.js").ApiError} error @param {any} body @param {() => void} again */
async function refused(error, body, again) {
  const unsaved = body.kind === "name" && body.name && `“${body.name}” was not saved`;
  if (error.status !== 409) return tell(error, again, unsaved && `${unsaved}. `);
  const what = unsaved || "Nothing of yours was done";
  decided(null);
  if (typing(document.activeElement)) return toast(`${what}. ${error.problem}`, { words: "Do it anyway", run: again }, { stays: true });
  const lines = error.since.map(({ made, words }) => h("li", {}, h("time", { text: clock(made) }), h("span", { text: words })));
  const told = lines.length ? h("ul", { class: "since" }, ...lines) : h("p", { text: error.problem });
  return openDialog("This changed while you were looking", [h("p", { text: `${what}, so nothing is lost. Meanwhile:` }), told], [closing("Show how it is now")]);
}

/** Says what went wrong; while another run is writing, it may be tried again. @param {any} error @param {() => void} [again] @param {string} [lost] what came of it, if anything was typed */
export function tell(error, again, lost = "") {
  toast(`${lost}${error.words ?? error.message}`, error.status === 423 && again ? { words: "Try again", run: again } : undefined, { stays: true });
}
