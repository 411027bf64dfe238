import { decide } from "../actions.js";
import { get } from "../api.js";
import { showDock } from "../dock.js";
import { announce, button, h } from "../dom.js";
import { counted } from "../format.js";
import { bind } from "../keyboard.js";
import { askWhichName } from "../merge-dialog.js";
import { nameField } from "../name-field.js";
import { PagedList } from "../paged-list.js";
import { clearCard, createCard, fillCard } from "../person-card.js";
import { picking } from "../picking.js";
import { go, setQuery, setTitle } from "../router.js";
import { Selection } from "../selection.js";
import { on, session } from "../session.js";
import { emptyState, errorState } from "../states.js";
import { VirtualGrid } from "../virtual-grid.js";
import { wallTools } from "../wall-tools.js";

const CARD = { minWidth: 168, gap: 20, ratio: 0.75, extra: 58 };
const SMALL_CARD = { minWidth: 148, gap: 12, ratio: 0.75, extra: 58 };

/** The wall of people. @type {import("../router.js").Mount} */
export function mount(root, { query, restore }) {
  setTitle("People");
  const settings = { show: query.get("show") ?? "all", sort: query.get("sort") ?? "faces", search: query.get("search") ?? "" };
  const selection = new Selection(() => redraw());
  /** @type {number|null} the person whose name is edited */
  let naming = null;

  const list = new PagedList({
    size: 60,
    load: async (offset, limit, signal) => {
      const { people, total, revision } = await get("/people", { ...settings, offset, limit }, signal);
      return { items: people, total, revision };
    },
    onChange: (first, last) => arrived(first, last),
    onError: (error) => {
      if (list.total === null) message.replaceChildren(errorState(error, restart));
    },
  });
  const grid = new VirtualGrid({
    label: "People",
    selectable: true,
    shape: innerWidth < 560 ? SMALL_CARD : CARD,
    guess: restore.total ?? 60,
    create: createCard,
    clear: clearCard,
    fill: (card, index, tier) => {
      const person = /** @type {any} */ (list.get(index));
      if (card.querySelector(".name-field") && naming === person?.person) return;
      dropField(card);
      fillCard(card, person, { tier, selected: Boolean(person && selection.has(person.person)) });
    },
    onRange: (first, last) => list.want(first, last),
    onMove: (index, event, from) => (event.shiftKey ? picker.extend(index, from) : picker.rest(index)),
  });
  const picker = picking({ grid, list, selection, idOf: (person) => person.person, open, clickOpens: true, band: false });
  const message = h("div", { class: "message" });
  const tools = wallTools(settings, changeSettings);
  root.append(h("h1", { class: "unseen", text: "People" }), tools.element, message, grid.root);

  /** @param {number} first @param {number} last */
  function arrived(first, last) {
    grid.resize(list.total ?? 0);
    grid.refill(first, last);
    tools.count(list.total ?? 0);
    message.replaceChildren(...(list.total === 0 ? [nothing()] : []));
  }

  function nothing() {
    if (settings.search) return emptyState("Nobody is called that", `No person matches “${settings.search}”.`, h("p", {}, button("Show everyone", { onclick: () => tools.reset() })));
    const words = EMPTY[settings.show];
    if (words) return emptyState(words[0], words[1], h("p", {}, button("Show everyone", { onclick: () => tools.reset() })));
    if (session.library?.faces) return emptyState("No people yet", "There are faces, but no two of them are alike enough to be a person. They are all in “Left out”.", h("p", {}, h("a", { class: "button", href: "/left-out", text: "See what was left out" })));
    return emptyState("Nothing here yet", "This library has no faces. Add pictures to it and the people in them appear here.", h("pre", { class: "sample", text: "unmingle cluster PICTURES -o LIBRARY" }));
  }

  /** @param {Partial<typeof settings>} change */
  function changeSettings(change) {
    Object.assign(settings, change);
    setQuery({ show: settings.show === "all" ? "" : settings.show, sort: settings.sort === "faces" ? "" : settings.sort, search: settings.search });
    restart();
  }

  async function restart() {
    message.replaceChildren();
    scrollTo(0, 0);
    list.first = 0;
    list.last = 0;
    list.pages.clear();
    grid.refill();
    await list.refresh();
    announce(counted(list.total ?? 0, "person"));
  }

  function redraw() {
    grid.refill();
    grid.root.classList.toggle("picking", selection.size > 0);
    const chosen = selection.list();
    const acts = [
      { words: "Merge", key: "M", run: merge, primary: true },
      { words: settings.show === "ignored" ? "Restore" : "Ignore", key: "I", run: ignore },
      { words: "Clear", key: "Esc", run: () => selection.clear() },
    ];
    showDock(`${counted(chosen.length, "person")} selected`, chosen.length ? acts.slice(chosen.length > 1 ? 0 : 1) : []);
  }

  /** @param {number} index */
  function open(index) {
    const person = /** @type {any} */ (list.get(index));
    if (person) go(`/people/${person.person}`);
  }

  /** @param {number} index */
  function edit(index) {
    const person = /** @type {any} */ (list.get(index));
    const card = grid.cell(index);
    if (!person || !card) return;
    naming = person.person;
    card.classList.add("naming");
    const field = nameField({
      person,
      seen: () => list.revision,
      done: ({ focus }) => {
        naming = null;
        dropField(card);
        grid.refill(index, index);
        if (focus) grid.focus(index);
      },
    });
    card.querySelector(".card-foot")?.prepend(field);
  }

  /** @param {HTMLElement} card */
  function dropField(card) {
    card.classList.remove("naming");
    card.querySelector(".name-field")?.remove();
  }

  /** @returns {Promise<any[]>} the records of those selected, named ones first, then the largest */
  async function selected() {
    const known = new Map([...list.pages.values()].flatMap(({ items }) => items).map((/** @type {any} */ person) => [person.person, person]));
    const people = await Promise.all(selection.list().map((id) => known.get(id) ?? get(`/people/${id}`)));
    return people.sort((one, other) => Number(!one.name) - Number(!other.name) || other.faces - one.faces);
  }

  async function merge() {
    if (selection.size < 2) return announce("Select at least two people to merge.");
    const people = await selected();
    const named = people.filter((person) => person.name);
    const stays = named.length > 1 ? await askWhichName(named) : people[0].person;
    if (stays === null) return undefined;
    const others = people.map((person) => person.person).filter((id) => id !== stays);
    if (await decide({ kind: "merge", person: stays, others }, { seen: list.revision })) selection.clear();
    return undefined;
  }

  async function ignore() {
    const people = selection.size ? await selected() : [list.get(grid.focused)].filter(Boolean);
    const kind = settings.show === "ignored" ? "restore" : "ignore";
    for (const person of people) {
      if (!(await decide({ kind, person: person.person }, { seen: list.revision }))) break;
    }
    selection.clear();
  }

  const unbind = bind({
    title: "People",
    bindings: [
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: "Move", run: () => grid.focus(grid.focused) },
      { keys: ["Enter"], words: "Open the person", run: () => open(grid.focused) },
      { keys: ["n"], words: "Name", run: () => edit(grid.focused) },
      { keys: ["x", "Space"], words: "Select", run: () => picker.toggle(grid.focused) },
      { keys: ["Mod+a"], words: "Select all", run: () => picker.all() },
      { keys: ["m"], words: "Merge those selected", run: merge },
      { keys: ["i"], words: "Ignore, or restore", run: ignore },
      { keys: ["/"], words: "Search", run: () => tools.focus() },
      { keys: ["Escape"], words: "Select nothing", run: () => selection.clear() },
    ],
  });
  const unheard = on("changed", () => list.refresh());
  grid.root.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const index = grid.indexAt(event.target);
    if (index !== null && event.target instanceof Element && event.target.closest(".card-name")) edit(index);
  });
  grid.root.addEventListener("auxclick", (/** @type {MouseEvent} */ event) => {
    const person = /** @type {any} */ (list.get(grid.indexAt(event.target) ?? -1));
    if (event.button === 1 && person) window.open(`/people/${person.person}`);
  });
  grid.start();
  if (restore.focused) grid.focused = restore.focused;
  return {
    snapshot: () => ({ total: list.total ?? undefined, focused: grid.focused }),
    unmount: () => {
      unbind();
      unheard();
      picker.stop();
      list.stop();
      grid.stop();
    },
  };
}

/** @type {Record<string, [string, string]>} */
const EMPTY = {
  named: ["Nobody has a name yet", "Press N on a person to give them one. Names last, whatever is grouped again."],
  unnamed: ["Everyone has a name", "There is nobody left to name."],
  new: ["Nobody new", "The last run brought no new faces."],
  uncertain: ["Nothing in doubt", "Every face is where it belongs, as far as the program can tell."],
  ignored: ["Nobody is ignored", "Press I on a stranger, and they no longer stand among the others."],
};
