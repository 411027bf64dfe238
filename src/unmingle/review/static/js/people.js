import { choosePictures } from "./add.js";
import { get, session } from "./api.js";
import { PEOPLE } from "./cells.js";
import { decide, decideTogether } from "./decisions.js";
import { chips, emptyState, linkButton, press } from "./dialogs.js";
import { announce, button, counted, debounced, h, icon } from "./dom.js";
import { listGrid } from "./list-grid.js";
import { askWhichName, asNamed, nameField } from "./names.js";
import { go, setQuery } from "./router.js";

/** The wall of people. @type {Mount} */
export function people(root, visit) {
  const { query, signal } = visit;
  const settings = { show: query.get("show") ?? "all", sort: query.get("sort") ?? "faces", search: query.get("search") ?? "" };
  /** @type {{person: number, index: number, field: ReturnType<typeof nameField>}|null} whose name is edited, and where */ let naming = null;
  const change = (/** @type {Partial<typeof settings>} */ change) => {
    Object.assign(settings, change);
    press(shows, settings.show);
    setQuery({ show: settings.show === "all" ? "" : settings.show, sort: settings.sort === "faces" ? "" : settings.sort, search: settings.search });
    void restart();
  };
  const search = h("input", { type: "search", class: "field search-field", placeholder: "Search", "aria-label": "Search for a person", "aria-keyshortcuts": "/", value: settings.search, spellcheck: "false" });
  const find = () => search.value.trim() !== settings.search && change({ search: search.value.trim() });
  search.addEventListener("input", debounced(find, PAUSE));
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !search.value) search.blur();
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    find(); // the next key is about who is found, not about who was there before
    grid.focus(grid.focused);
  });
  const shows = chips("chips", SHOWS, settings.show, (show) => change({ show }));
  const options = Object.entries(SORTS).map(([value, text]) => h("option", { value, text, selected: settings.sort === value }));
  const sort = h("select", { class: "field", "aria-label": "Sort by", title: "Sort by", onchange: ({ target }) => change({ sort: target.value }) }, ...options);
  const total = h("p", { class: "tools-count" });
  const tools = h("div", { class: "tools", role: "search", "aria-label": "People" },
    h("div", { class: "search-box" }, icon("search"), search, h("kbd", { text: "/", "aria-hidden": "true" })),
    shows,
    total,
    button("Who is in…", { onclick: choosePictures, class: "quiet-button", attrs: { title: "Who is in a picture: choose it, or drop it anywhere. Nothing of it is kept." } }),
    h("a", { class: "button name-run", href: "/naming", title: "One after another (G, then N)", text: "Name people" }),
    sort,
  );
  const wall = listGrid(visit, {
    label: "People",
    cells: { ...PEOPLE, fill: (card, person, how) => PEOPLE.fill(card, asNamed(person, list.revision), how) },
    size: 60,
    path: "/people",
    query: () => settings,
    open,
    noun: ["person"],
    acts: [
      { words: "Merge", key: "M", run: merge, primary: true, able: (picked) => picked > 1 },
      { words: "Ignore", key: "I", run: (ids) => say("ignore", "Ignored", ids), able: () => settings.show !== "ignored" },
      { words: "Restore", key: "I", run: (ids) => say("restore", "Restored", ids), able: () => settings.show === "ignored" },
    ],
    keys: [
      { keys: ["n"], words: "Name", run: () => void edit(grid.focused) },
      { keys: ["/"], words: "Search", run: () => search.select() },
    ],
    empty: () => list.total === 0 && nothing(),
    onChange: () => {
      follow();
      total.replaceChildren(counted(list.total ?? 0, "person"));
    },
  });
  const { list, grid, message } = wall;
  root.append(h("h1", { class: "unseen", text: "People" }), tools, message, grid.root);

  function nothing() {
    const [title, words] = settings.search ? ["Nobody is called that", `No person matches “${settings.search}”.`] : EMPTY[settings.show] ?? [];
    const everyone = () => {
      search.value = "";
      change({ show: "all", search: "" });
    };
    if (title) return emptyState(title, words, button("Show everyone", { onclick: everyone }));
    if (session.library?.faces) {
      const alone = "There are faces, but no two of them are alike enough to be a person. They are all in “Left out”.";
      return emptyState("No people yet", alone, linkButton("See what was left out", "/left-out", "button"));
    }
    const none = "This library has no faces. Add pictures to it and the people in them appear here.";
    return emptyState("Nothing here yet", none, linkButton("Add pictures", "/add"));
  }

  async function restart() {
    naming?.field.save("elsewhere");
    await wall.restart();
    announce(counted(list.total ?? 0, "person"));
  }

  function open(/** @type {number} */ index) {
    const person = list.get(index);
    if (!person) return;
    grid.point(index, { focus: true });
    go(`/people/${person.person}`);
  }

  /** The field lies over the wall, so that nothing that happens to the cards below touches it. @param {number} index */
  async function edit(index) {
    if (list.total === null) await list.settled(); // who is found is on the way
    if (!grid.root.isConnected || index < 0 || index >= grid.total) return;
    naming?.field.save("elsewhere");
    grid.show(index);
    if (!list.get(index)) await list.range(index, index);
    const person = asNamed(list.get(index), list.revision);
    if (!person || naming) return;
    const field = nameField({
      person,
      seen: () => list.revision,
      again: () => {
        const at = list.find((one) => one.person === person.person) ?? index;
        if (!naming && list.get(at)?.person === person.person) void edit(at); // not of whoever stands where somebody was erased
      },
      done: ({ to }) => {
        const at = naming?.index ?? index;
        naming = null;
        if (to !== "elsewhere") grid.focus(at);
        grid.cover(null);
        grid.refill();
        if (to === "next" || to === "before") void edit(at + (to === "next" ? 1 : -1));
      },
    });
    naming = { person: person.person, index, field };
    grid.cover(field.element, index);
  }

  /** The field stays with the person, wherever they go. */
  function follow() {
    if (!naming) return;
    naming.index = list.find((one) => one.person === naming?.person) ?? Math.min(naming.index, Math.max(0, grid.total - 1));
    grid.cover(naming.field.element, naming.index);
  }

  /** Merges people: named ones first, then the largest. @param {number[]} ids */
  async function merge(ids) {
    const known = new Map([...list.pages.values()].flatMap(({ items }) => items).map((person) => [person.person, person]));
    const merged = await Promise.all(ids.map((id) => known.get(id) ?? get(`/people/${id}`)));
    merged.sort((one, other) => Number(!one.name) - Number(!other.name) || other.faces - one.faces);
    const named = merged.filter((person) => person.name);
    const stays = named.length > 1 ? await askWhichName(named) : merged[0].person;
    return stays && decide({ kind: "merge", person: stays, others: ids.filter((id) => id !== stays) }, list.revision);
  }

  /** @param {"ignore"|"restore"} kind @param {string} done @param {number[]} ids */
  const say = (kind, done, ids) => ids.length === 1
    ? decide({ kind, person: ids[0] }, list.revision)
    : decideTogether(ids.map((person) => ({ kind, person })), list.revision, (taken) => `${done} ${counted(taken, "person")}.`);

  signal.addEventListener("abort", () => naming?.field.save("elsewhere"));
  grid.root.addEventListener("click", ({ target }) => {
    const index = grid.indexAt(target);
    if (index !== null && /** @type {Element} */ (target).closest(".card-name")) void edit(index);
  });
  grid.root.addEventListener("auxclick", (event) => {
    const person = list.get(grid.indexAt(event.target) ?? -1);
    if (event.button === 1 && person) window.open(`/people/${person.person}`);
  });
  wall.start();
  return wall;
}

/** @type {Record<string, [string, string]>} */
const EMPTY = {
  named: ["Nobody has a name yet", "Press N on a person to give them one. Names last, whatever is grouped again."],
  unnamed: ["Nobody is without a name", "There is nobody left to name."],
  new: ["Nobody new", "The last run brought no new faces."],
  uncertain: ["Nothing in doubt", "Every face is where it belongs, as far as the program can tell."],
  ignored: ["Nobody is ignored", "Press I on a stranger, and they no longer stand among the others."],
};
const SHOWS = { all: "All", unnamed: "Unnamed", named: "Named", new: "New", uncertain: "Uncertain", ignored: "Ignored" };
const SORTS = { faces: "Most faces", name: "Name", new: "Newest", uncertain: "Most unsure", cohesion: "Loosest" };
const PAUSE = 140; // milliseconds after the last letter
