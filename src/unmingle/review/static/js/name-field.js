import { decide } from "./actions.js";
import { get } from "./api.js";
import { h } from "./dom.js";
import { askMerge } from "./merge-dialog.js";
import { suggestions } from "./suggestions.js";
import { toast } from "./toasts.js";

/** What was typed and not saved lasts as long as the tab. @param {number} person */
const draftKey = (person) => `unmingle-name-${person}`;

/**
 * Edits a person's name where it stands. Enter saves, Escape leaves it as it was; choosing a name somebody else has
 * offers to merge.
 * @param {{person: any, seen: () => number|null, done: (result: {merged?: number, focus: boolean}) => void}} options
 * @returns {HTMLElement}
 */
export function nameField({ person, seen, done }) {
  const draft = sessionStorage.getItem(draftKey(person.person));
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "name-input", type: "text", "aria-label": "Name", placeholder: "Who is this?", maxlength: 200, spellcheck: "false", value: draft ?? person.name }));
  let over = false;
  let busy = false;
  let looked = seen(); // what was on show when the editing began, so that a name given elsewhere meanwhile is noticed
  const find = async (/** @type {string} */ text) => {
    const { names } = await get("/names", { search: text, limit: 8 });
    return names.filter((/** @type {any} */ other) => other.person !== person.person && other.name);
  };
  const list = suggestions({ input, find, pick: (other) => merge(other), label: "People with a name" });

  const leave = (/** @type {{merged?: number, focus?: boolean}} */ result = {}) => {
    if (over) return;
    over = true;
    done({ focus: true, ...result });
  };
  /** Refused, and told why: who goes on knows. */
  const again = () => {
    looked = seen();
    input.focus();
  };
  const forget = () => sessionStorage.removeItem(draftKey(person.person));

  const merge = async (/** @type {any} */ other) => {
    busy = true;
    const outcome = (await askMerge(person, other)) && (await decide({ kind: "merge", person: other.person, others: [person.person] }, { seen: looked }));
    busy = false;
    if (!outcome) return again();
    forget();
    return leave({ merged: other.person });
  };

  const save = async () => {
    const name = input.value.trim();
    const chosen = list.marked() ?? namesake(list.known(), name);
    if (chosen) return merge(chosen);
    if (name === person.name) {
      forget();
      return leave();
    }
    busy = true;
    const outcome = await decide({ kind: "name", person: person.person, name }, { seen: looked });
    busy = false;
    if (!outcome) return again();
    forget();
    return leave();
  };

  input.addEventListener("input", () => sessionStorage.setItem(draftKey(person.person), input.value));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      if (!busy) list.refresh().then(save);
    } else if (event.key === "Escape") {
      event.preventDefault();
      forget();
      leave();
    }
  });
  input.addEventListener("blur", () => {
    setTimeout(() => {
      if (over || busy || document.activeElement === input || !document.hasFocus()) return;
      const name = input.value.trim();
      if (name && name !== person.name) remind(person, name, looked);
      leave({ focus: false });
    }, 0);
  });
  queueMicrotask(() => {
    input.focus();
    input.select();
    list.refresh();
  });
  return h("div", { class: "name-field" }, input, list.list);
}

/** @param {import("./suggestions.js").Known[]} known @param {string} name */
const namesake = (known, name) => known.find((other) => other.name.localeCompare(name, undefined, { sensitivity: "base" }) === 0) ?? null;

/** @param {any} person @param {string} name @param {number|null} seen */
function remind(person, name, seen) {
  toast(`“${name}” is not saved yet.`, {
    words: "Save",
    run: async () => {
      const outcome = await decide({ kind: "name", person: person.person, name }, { seen });
      if (outcome) sessionStorage.removeItem(draftKey(person.person));
    },
  });
}
