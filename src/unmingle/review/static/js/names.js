import { get } from "./api.js";
import { faceImages } from "./cells.js";
import { decide, decideTogether, send, tellAll } from "./decisions.js";
import { cancel, confirmed, fillIn, openDialog, toast } from "./dialogs.js";
import { announce, button, called, counted, h, likely, typing } from "./dom.js";

/** Names on their way, and the revision that knows them: shown as if they were saved, and told as being saved. @type {Map<number, {name: string, from: number}>} */
const given = new Map();
/** What was typed and not saved lasts as long as the tab. @param {number} person */
const draftKey = (person) => `unmingle-name-${person}`;
const forget = (/** @type {number} */ person) => sessionStorage.removeItem(draftKey(person));

/** A record with the name that is on its way, as `pending`. @param {any} person @param {number|null} revision of the record @returns {any} */
export function asNamed(person, revision) {
  const now = person && given.get(person.person);
  if (now && (revision ?? 0) >= now.from) given.delete(person.person);
  return now && (revision ?? 0) < now.from ? { ...person, pending: now.name } : person;
}

/** People below a text field: an ARIA combobox. Nobody is marked at first. @param {HTMLInputElement} input @param {SuggestionOptions} options */
function suggestions(input, { find, pick, label, only = false }) {
  const list = h("ul", { class: "suggestions", role: "listbox", "aria-label": label, hidden: true });
  Object.assign(input, { role: "combobox", ariaAutoComplete: "list", ariaControlsElements: [list], ariaExpanded: "false", autocomplete: "off" });
  /** @type {Known[]} */ let known = [];
  let marked = -1;
  /** @type {string|null} the text that the list on show belongs to */ let shownFor = null;

  function mark(/** @type {number} */ index) {
    marked = index >= known.length ? -1 : index;
    const option = list.children[marked] ?? null;
    for (const one of list.children) one.ariaSelected = String(one === option);
    option?.scrollIntoView({ block: "nearest" });
    input.ariaActiveDescendantElement = option;
  }

  /** Whoever was marked stays so while the text is the same: Enter means the person that was on show. */
  async function refresh() {
    const text = input.value.trim();
    const found = await find(text).catch(() => []);
    if (text !== input.value.trim() || !input.isConnected) return;
    const kept = text === shownFor ? known[marked]?.person : undefined;
    shownFor = text;
    known = found;
    list.replaceChildren(...known.map((person) => option(person, () => pick(person))));
    list.hidden = !known.length;
    input.ariaExpanded = String(known.length > 0);
    const at = kept === undefined ? -1 : known.findIndex(({ person }) => person === kept);
    mark(at < 0 && only && text && known.length === 1 ? 0 : at);
  }

  input.addEventListener("input", refresh);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(marked < 0 ? known.length - 1 : marked - 1);
    else return;
    event.preventDefault();
  });
  return {
    list,
    refresh,
    marked: () => known[marked] ?? null,
    empty: () => !known.length,
    /** Who is called so, as far as the list tells. @param {string} name */
    namesake: (name) => namesake(known, name),
    /** Whether the list is the one for what is typed now. */
    fresh: () => shownFor === input.value.trim(),
  };
}

/** @param {Known[]} known @param {string} name */
const namesake = (known, name) => known.find((other) => called(other).localeCompare(name, undefined, { sensitivity: "base" }) === 0) ?? null;

/** @param {Known} person @param {() => void} onclick */
function option({ probability: chance, ...person }, onclick) {
  const told = [counted(person.faces, "face"), likely(chance) && `${likely(chance)} likely`];
  return h("li", { role: "option", "aria-selected": "false", onclick, onpointerdown: (/** @type {Event} */ event) => event.preventDefault() },
    ...faceImages([person.covers[0]]),
    h("span", { class: "option-name", text: called(person) }),
    h("span", { class: "option-count", text: told.filter(Boolean).join(", ") }),
  );
}

/** Names like this that others have. @param {number} person @param {string} text @returns {Promise<Known[]>} */
async function others(person, text) {
  const { names } = await get("/names", { search: text, limit: 8 });
  return names.filter((/** @type {Known} */ other) => other.person !== person && other.name);
}

// Enter, Tab and leaving save, Escape leaves the name as it was; choosing one that somebody else has offers to merge. The
// field is gone the moment a key ends it, and is saved after that: the next key is about what has the focus then.
/** Edits a person's name where it stands. @param {NameFieldOptions} options */
export function nameField({ person, seen, again, done, quick = false, focus = true }) {
  const id = person.person;
  const before = person.pending ?? person.name;
  const value = sessionStorage.getItem(draftKey(id)) ?? before;
  const input = h("input", { class: "name-input", type: "text", "aria-label": "Name", placeholder: "Who is this?", maxlength: 200, spellcheck: "false", value });
  const looked = seen(); // what was on show when the editing began, so that a name given elsewhere meanwhile is noticed
  let busy = false; // it is over, or asks whether somebody is meant
  const list = suggestions(input, { find: async (text) => (quick && !text ? [] : others(id, text)), pick: (other) => void merge(other), label: "People with a name" });

  function close(/** @type {Parameters<typeof done>[0]} */ result) {
    busy = true;
    done(result);
  }

  async function merge(/** @type {Known} */ other, /** @type {"next"|"before"} */ to = "next") {
    if (quick) {
      void join(person, other, looked);
      return close({ to, said: true });
    }
    busy = true;
    const outcome = await mergeInto(person, other, looked);
    busy = false;
    if (!outcome) return input.focus();
    return close({ merged: other.person, to: "here" });
  }

  function save(/** @type {"here"|"next"|"before"|"elsewhere"} */ to) {
    if (busy) return;
    const name = input.value.trim();
    const other = to === "elsewhere" || !name ? null : list.marked() ?? (to === "here" || quick ? list.namesake(name) : null);
    if (other) return void merge(other, to === "before" ? to : "next");
    const said = name !== before;
    if (said) void keep(person, name, looked, list.fresh() && !list.namesake(name), again, quick);
    else forget(id);
    close({ to, said });
  }

  input.addEventListener("input", () => sessionStorage.setItem(draftKey(id), input.value));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return;
    const to = /** @type {const} */ ({ Enter: quick ? "next" : "here", Tab: event.shiftKey ? "before" : "next", Escape: "here" })[event.key];
    if (!to) return;
    event.preventDefault();
    if (event.repeat || busy) return;
    if (event.key !== "Escape") return save(to);
    forget(id);
    close({ to });
  });
  input.addEventListener("blur", () => {
    if (document.hasFocus()) save("elsewhere"); // who looks at another window comes back
  });
  const element = h("div", { class: "name-field" }, input, list.list);
  // As soon as it is where it belongs, and before the next key.
  queueMicrotask(() => {
    void list.refresh();
    if (!focus) return;
    input.focus();
    input.select();
  });
  return { element, save };
}

/** Saves a name after the field is gone. nobodys: whether it is known that nobody is called so. @type {KeepName} */
async function keep(person, name, seen, nobodys, again, quick) {
  const id = person.person;
  const mine = { name, from: Infinity };
  given.set(id, mine);
  const failed = () => given.get(id) === mine && given.delete(id);
  /** @type {Known|null} */ let other = null;
  const outcome = await decide(async () => {
    if (name && !nobodys) other = namesake(await others(id, name), name);
    return !other ? { kind: "name", person: id, name } : quick && { kind: "merge", person: other.person, others: [id] };
  }, seen);
  if (outcome && !other) mine.from = outcome.revision;
  else failed();
  if (other && !quick) {
    const act = { words: `Merge with ${called(other)}…`, run: () => void mergeInto(person, other, seen) };
    return toast(`“${name}” was not saved, since there is somebody called so.`, act, { stays: true });
  }
  if (!outcome && !typing(document.activeElement)) again();
  if (outcome && sessionStorage.getItem(draftKey(id))?.trim() === name) forget(id);
  return undefined;
}

/** A few faces of a person with the name below. @param {any} person */
const portrait = (person) =>
  h("figure", { class: "portrait" },
    h("div", { class: "portrait-faces" }, ...faceImages(person.covers.slice(0, 4))),
    h("figcaption", {}, h("strong", { text: called(person) }), h("span", { text: counted(person.faces, "face") })),
  );

/** Makes one person part of another, if that is meant. @param {any} person @param {any} other whose name stays @param {number|null} seen */
async function mergeInto(person, other, seen) {
  const pair = h("div", { class: "pair" }, portrait(person), h("span", { class: "pair-sign", "aria-hidden": "true", text: "+" }), portrait(other));
  const meant = await confirmed(`Merge with ${called(other)}?`, [pair], `Merge into ${called(other)}`);
  return meant && join(person, other, seen);
}

/** @param {any} person @param {any} other @param {number|null} seen */
async function join(person, other, seen) {
  const outcome = await decide({ kind: "merge", person: other.person, others: [person.person] }, seen);
  if (outcome) forget(person.person);
  return outcome;
}

/** Which of several names stays; none is chosen beforehand. @param {any[]} people @returns {Promise<number|null>} the person that the others become part of */
export async function askWhichName(people) {
  const group = people.map((person) => h("label", { class: "choice" }, h("input", { type: "radio", name: "stays", value: person.person, required: true }), portrait(person)));
  const choices = h("div", { class: "choices", role: "radiogroup", "aria-label": "The name that stays" }, ...group);
  const said = await openDialog(`Merge ${people.length} people: which name stays?`, [choices], [cancel(), button("Merge", { primary: true })]);
  return said && Number(said.get("stays"));
}

/** Asks for a person, the most alike first; nobody is chosen beforehand. @type {AskPerson} */
export async function askPerson(title, { person, faces = [], allowNew = false }) {
  /** @type {number|undefined} */ let chosen;
  const input = h("input", { class: "field", type: "search", "aria-label": "Search for a person", placeholder: "Type a name", autofocus: true, spellcheck: "false" });
  const find = async (/** @type {string} */ text) => (await get("/alike", { search: text, person, faces: faces.slice(0, 100) })).people;
  const choose = (/** @type {Known} */ other) => {
    chosen = other.person;
    input.closest("dialog")?.close();
  };
  const list = suggestions(input, { find, pick: choose, label: "People", only: true });
  const fresh = button("New person", { attrs: { hidden: !allowNew } });
  input.addEventListener("input", () => {
    const name = input.value.trim();
    fresh.replaceChildren(h("span", { text: name ? `New person “${name}”` : "New person" }));
  });
  input.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (event.repeat || event.isComposing) return;
    const name = input.value.trim();
    // The list may come later than the key: only who is called exactly so can be meant.
    const marked = list.marked();
    if (!marked && name) await list.refresh();
    const other = marked ?? (name ? list.namesake(name) : null);
    if (other) choose(other);
    else if (allowNew && name && list.empty()) fresh.click();
  });
  list.list.classList.add("suggestions-open");
  queueMicrotask(() => void list.refresh());
  const nothing = h("p", { class: "quiet nothing", text: "Nobody is called that." });
  const said = await openDialog(title, [input, list.list, nothing], [cancel(), fresh], "dialog-steady");
  return chosen ? { person: chosen } : said && { name: input.value.trim() };
}

/** Asks whose some faces are, and says so. @param {number[]} faces @param {number|null} seen @param {number} [person] who they are not */
export async function moveFaces(faces, seen, person) {
  const count = counted(faces.length, "face");
  const where = await askPerson(person === undefined ? `${count}: who is this?` : `Move ${count} to…`, { person, faces, allowNew: true });
  return where && giveFaces(faces, where, seen);
}

/** Says whose some faces are: somebody's, or a new person's. @param {number[]} faces @param {{person?: number, name?: string}} where @param {number|null} seen */
export async function giveFaces(faces, where, seen) {
  if (where.person !== undefined) return decide({ kind: "assign", faces, person: where.person }, seen);
  const made = { kind: "split", faces };
  if (!where.name) return decide(made, seen);
  /** @type {Outcome|null} */ let split = null;
  const outcome = await decide(async (known) => {
    split ??= await send("/decisions", made, known);
    return { kind: "name", person: split.decision.person, name: where.name, group: split.decision.id };
  }, seen);
  return outcome ?? (split && tellAll(split)); // who was made and not named is told, too
}

/** Shows what a person may consist of: each part that is ticked becomes somebody of their own. @param {number} person @param {string} who */
export async function breakUp(person, who) {
  /** @type {Schemas["Parts"]|null} */ let now = null;
  const act = button("Take apart", { primary: true, attrs: { disabled: true } });
  const tell = () => {
    const chosen = list.querySelectorAll(":checked").length;
    act.disabled = !chosen;
    act.firstElementChild?.replaceChildren(chosen ? `Take ${counted(chosen, "part")} apart` : "Take apart");
  };
  const load = (/** @type {string} */ count) => fillIn(list, async () => {
    now = /** @type {Schemas["Parts"]} */ (await get(`/people/${person}/parts`, { count }));
    range.value = String(now.parts.length);
    list.replaceChildren(...now.parts.map(partRow));
    announce(counted(list.childElementCount, "part"));
  }).then(tell);
  /** @type {HTMLInputElement} */ const range = h("input", { type: "range", min: 2, max: 24, value: 2, "aria-label": "Parts", autofocus: true, onchange: () => load(range.value) });
  const list = h("ul", { class: "bulk parts", onchange: tell });
  void load("");
  const words = h("p", { class: "quiet", text: "Tick what is somebody else. Each part that is ticked becomes a person." });
  const said = await openDialog(`What is ${who} made of?`, [words, h("label", { class: "doubts" }, "Fewer parts", range, "more"), list], [cancel(), act], "dialog-wide dialog-steady");
  if (!said) return;
  const { revision, parts } = /** @type {Schemas["Parts"]} */ (/** @type {unknown} */ (now));
  const bodies = said.getAll("part").map((at) => ({ kind: "split", faces: parts[Number(at)].faces }));
  await decideTogether(bodies, revision, (taken) => `Took ${counted(taken, "part")} out of ${who}.`);
}

/** @param {Schemas["Part"]} part @param {number} at */
const partRow = ({ faces, show, likely: chance }, at) =>
  h("li", {}, h("label", {},
    at ? h("input", { type: "checkbox", name: "part", value: at, "aria-label": `Part ${at + 1}, ${counted(faces.length, "face")}` }) : h("span", { class: "quiet", text: "Stays" }),
    h("div", {}, ...faceImages(show)),
    h("span", {}, counted(faces.length, "face"), at && likely(chance) ? h("small", { text: `${likely(chance)} likely the same` }) : ""),
  ));
