import { decide, inTurn, tell } from "./actions.js";
import { get } from "./api.js";
import { h } from "./dom.js";
import { typing } from "./keyboard.js";
import { askMerge, namesake, suggestions } from "./person-dialogs.js";
import { toast } from "./toasts.js";

/** What was typed and not saved lasts as long as the tab. @param {number} person */
const draftKey = (person) => `unmingle-name-${person}`;
const forget = (/** @type {number} */ person) => sessionStorage.removeItem(draftKey(person));
/** Names on their way, and the revision that knows them: shown as if they were saved, and told as being saved. @type {Map<number, {name: string, from: number}>} */
const given = new Map();

/** A record with the name that is on its way, as `pending`. @template {{person: number, name: string}|undefined} P @param {P} person @param {number|null} revision of the record @returns {P} */
export function asNamed(person, revision) {
  const now = person && given.get(person.person);
  if (now && (revision ?? 0) >= now.from) given.delete(person.person);
  return now && (revision ?? 0) < now.from ? { ...person, pending: now.name } : person;
}

/** Names like this that others have. @param {number} person @param {string} text */
async function others(person, text) {
  const { names } = await get("/names", { search: text, limit: 8 });
  return names.filter((/** @type {any} */ other) => other.person !== person && other.name);
}

/**
 * Edits a person's name where it stands. Enter, Tab and leaving save, Escape leaves it as it was; choosing a name that
 * somebody else has offers to merge. The field is gone the moment a key ends it, and is saved after that: the next key
 * is about what has the focus then.
 * @param {{person: any, typed?: string, seen: () => number|null, again: () => void,
 *   done: (result: {merged?: number, to: "here"|"next"|"before"|"elsewhere"}) => void}} options
 * typed: what was typed before it was open; again: opens it once more, with what was typed; to: where the focus goes
 * @returns {{element: HTMLElement, save: (to: "here"|"elsewhere") => void, focus: () => void}}
 */
export function nameField({ person, typed, seen, again, done }) {
  const id = person.person;
  const before = person.pending ?? person.name;
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "name-input", type: "text", "aria-label": "Name", placeholder: "Who is this?", maxlength: 200, spellcheck: "false", value: typed || (sessionStorage.getItem(draftKey(id)) ?? before) }));
  const looked = seen(); // what was on show when the editing began, so that a name given elsewhere meanwhile is noticed
  let over = false;
  let asking = false;
  const list = suggestions({ input, find: (text) => others(id, text), pick: (other) => void merge(other), label: "People with a name" });

  const close = (/** @type {Parameters<typeof done>[0]} */ result) => {
    over = true;
    done(result);
  };

  const merge = async (/** @type {any} */ other) => {
    asking = true;
    const outcome = await mergeInto(person, other, looked);
    asking = false;
    if (!outcome) return input.focus();
    return close({ merged: other.person, to: "here" });
  };

  const save = (/** @type {"here"|"next"|"before"|"elsewhere"} */ to) => {
    if (over || asking) return;
    const name = input.value.trim();
    const other = to === "elsewhere" || !name ? null : list.marked() ?? (to === "here" ? list.namesake(name) : null);
    if (other) return void merge(other);
    if (name === before) forget(id);
    else void keep(person, name, looked, list.fresh() && !list.namesake(name), again);
    close({ to });
  };

  input.addEventListener("input", () => sessionStorage.setItem(draftKey(id), input.value));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return;
    const to = /** @type {const} */ ({ Enter: "here", Tab: event.shiftKey ? "before" : "next", Escape: "here" })[event.key];
    if (!to) return;
    event.preventDefault();
    if (event.repeat || over || asking) return;
    if (event.key !== "Escape") return save(to);
    forget(id);
    close({ to });
  });
  input.addEventListener("blur", () => {
    if (document.hasFocus()) save("elsewhere"); // who looks at another window comes back
  });
  const element = h("div", { class: "name-field" }, input, list.list);
  queueMicrotask(() => void list.refresh());
  const focus = () => {
    input.focus();
    if (typed) input.setSelectionRange(typed.length, typed.length);
    else input.select();
  };
  return { element, save, focus };
}

/** @param {any} person @param {any} other whose name stays @param {number|null} seen */
async function mergeInto(person, other, seen) {
  const outcome = (await askMerge(person, other)) && (await decide({ kind: "merge", person: other.person, others: [person.person] }, { seen }));
  if (outcome) forget(person.person);
  return outcome;
}

/**
 * Saves a name after the field is gone.
 * @param {any} person @param {string} name @param {number|null} seen @param {boolean} nobodys whether it is known that nobody is called so
 * @param {() => void} again
 */
async function keep(person, name, seen, nobodys, again) {
  const id = person.person;
  const mine = { name, from: Infinity };
  given.set(id, mine);
  const failed = () => given.get(id) === mine && given.delete(id);
  try {
    const other = name && !nobodys ? await inTurn(async () => namesake(await others(id, name), name)) : null;
    if (other) failed();
    if (other) return offer(person, other, name, seen);
    const outcome = await decide({ kind: "name", person: id, name }, { seen });
    if (outcome) mine.from = outcome.revision;
    else failed();
    if (!outcome && !typing(document.activeElement)) again();
    if (outcome && sessionStorage.getItem(draftKey(id))?.trim() === name) forget(id);
  } catch (error) {
    failed();
    tell(error);
  }
  return undefined;
}

function offer(/** @type {any} */ person, /** @type {any} */ other, /** @type {string} */ name, /** @type {number|null} */ seen) {
  toast(`“${name}” was not saved, since there is somebody called so.`, { words: `Merge with ${other.name}…`, run: () => void mergeInto(person, other, seen) }, { stays: true });
}
