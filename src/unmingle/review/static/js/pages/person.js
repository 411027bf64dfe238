import { decide } from "../actions.js";
import { get } from "../api.js";
import { showDock } from "../dock.js";
import { announce, h } from "../dom.js";
import { faceGrid } from "../face-grid.js";
import { openFace } from "../face-view.js";
import { called, counted } from "../format.js";
import { bind } from "../keyboard.js";
import { askPerson } from "../move-dialog.js";
import { personHead } from "../person-head.js";
import { personTimes } from "../person-times.js";
import { go, setQuery, setTitle } from "../router.js";
import { Selection } from "../selection.js";
import { on } from "../session.js";
import { emptyState, errorState } from "../states.js";
import { toast } from "../toasts.js";

/** One person and all their faces. @type {import("../router.js").Mount} */
export function mount(root, { params, query, restore }) {
  const id = Number(params[0]);
  /** @type {any} */
  let person = null;
  let sort = query.get("sort") ?? "time";
  /** @type {ReturnType<typeof openFace>|null} */
  let view = null;
  const selection = new Selection(() => redraw());
  const message = h("div", { class: "message" });
  const head = personHead({ sort, onSort: changeSort, seen: () => list.revision, onMerge: mergeWhole, onIgnore: ignoreWhole });

  const { list, grid, picker, snapshot, stop } = faceGrid({
    label: "Faces",
    guess: restore.total ?? 40,
    selection,
    load: (offset, limit, signal) => get(`/people/${id}/faces`, { sort, offset, limit }, signal),
    idOf: (face) => face.face,
    open,
    onError: (error) => {
      if (error.status === 404) gone(error);
      else if (list.total === null) message.replaceChildren(errorState(error, reload));
    },
  });
  const times = personTimes({ person: id, open: openTimes, onResize: () => grid.render() });
  root.append(head.element, times.element, message, grid.root);

  async function reload() {
    try {
      person = await get(`/people/${id}`);
      message.replaceChildren();
      setTitle(called(person));
      head.show(person);
      grid.root.setAttribute("aria-label", `Faces of ${called(person)}`);
    } catch (error) {
      gone(/** @type {any} */ (error));
    }
  }

  /** @param {any} error */
  function gone(error) {
    if (error.status !== 404) return message.replaceChildren(errorState(error, reload));
    if (error.mergedInto) {
      toast(`Person ${id} became part of this one.`);
      return go(`/people/${error.mergedInto}`, { replace: true });
    }
    selection.clear();
    grid.resize(0);
    head.element.hidden = true;
    times.clear();
    setTitle("Nobody");
    message.replaceChildren(emptyState("Nobody is here any more", "All faces went elsewhere. Ctrl+Z brings them back.", h("p", {}, h("a", { class: "button primary", href: "/", text: "All people" }))));
    return undefined;
  }

  async function refresh() {
    times.again();
    await Promise.all([reload(), list.refresh()]);
    if (list.total && head.element.hidden) head.element.hidden = false;
    view?.again();
  }

  /** @param {string} order */
  function changeSort(order) {
    if (order === sort) return;
    sort = order;
    setQuery({ sort: sort === "time" ? "" : sort });
    head.sorted(sort);
    list.pages.clear();
    grid.refill();
    scrollTo(0, 0);
    grid.focused = 0;
    list.first = 0;
    list.last = 60;
    list.refresh().then(() => grid.focus(0));
    announce(`Sorted by ${SORT_WORDS[sort]}`);
  }

  function redraw() {
    grid.refill();
    grid.root.classList.toggle("picking", selection.size > 0);
    /** @type {import("../dock.js").Act[]} */
    const acts = ACTS.map(({ words, key, kind }) => ({ words, key, run: () => void act(kind) }));
    acts.push({ words: "Clear", key: "Esc", run: () => selection.clear() });
    showDock(`${counted(selection.size, "face")} selected`, selection.size ? acts : []);
  }

  /** What an action is about: what is selected, or else the face that has the focus. */
  function faces() {
    if (selection.size) return selection.list();
    const face = grid.indexAt(document.activeElement) === null ? undefined : /** @type {any} */ (list.get(grid.focused));
    if (!face) toast("Select faces first: click one, or move with the arrows and press X.");
    return face ? [face.face] : [];
  }

  /** @param {string} kind @param {number[]} [about] */
  async function act(kind, about = faces()) {
    if (!about.length) return;
    const done = kind === "move" ? await move(about) : await decide(bodyOf(kind, about), { seen: list.revision });
    if (!done) return;
    selection.clear();
    if (!view) grid.focus(Math.min(grid.focused, Math.max(0, (list.total ?? 1) - 1)));
  }

  /** @param {string} kind @param {number[]} about */
  const bodyOf = (kind, about) => (kind === "reject" ? { kind, faces: about, person: id } : { kind, faces: about });

  /** @param {number[]} about */
  async function move(about) {
    const where = await askPerson({ title: `Move ${counted(about.length, "face")} to…`, without: id, allowNew: true });
    if (!where) return null;
    if ("person" in where) return decide({ kind: "assign", faces: about, person: where.person }, { seen: list.revision });
    const made = await decide({ kind: "split", faces: about }, { seen: list.revision });
    if (!made || !where.name) return made;
    return decide({ kind: "name", person: made.decision.person, name: where.name }, { seen: made.revision });
  }

  async function mergeWhole() {
    const where = await askPerson({ title: `${called(person)} is the same as…`, without: id });
    if (!where || !("person" in where)) return;
    const outcome = await decide({ kind: "merge", person: where.person, others: [id] }, { seen: list.revision });
    if (outcome) go(`/people/${where.person}`, { replace: true });
  }

  function ignoreWhole() {
    return decide({ kind: person.ignored ? "restore" : "ignore", person: id }, { seen: list.revision });
  }

  /** @param {number} index */
  function open(index) {
    view = openFace({
      index,
      total: () => list.total ?? 0,
      faceAt: async (at) => /** @type {any} */ ((await list.range(at, at))[0])?.face ?? null,
      acts: actsOnFace(),
      onClose: (at) => {
        view = null;
        if (grid.root.isConnected) grid.focus(at);
      },
    });
  }

  /** The pictures of times on screen, one after the other. @param {number[]} faces @param {number} index */
  function openTimes(faces, index) {
    view = openFace({
      index,
      total: () => faces.length,
      faceAt: async (at) => faces[at],
      acts: actsOnFace(),
      onClose: () => {
        view = null;
      },
    });
  }

  const actsOnFace = () => ACTS.map(({ words, key, kind }) => ({ words, key, run: (/** @type {number} */ face) => act(kind, [face]) }));

  const unbind = bind({
    title: "This person",
    bindings: [
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: "Move (with Shift: select)", run: () => grid.focus(grid.focused) },
      { keys: ["Enter"], words: "See the picture", run: () => open(grid.focused) },
      { keys: ["x", "Space"], words: "Select", run: () => picker.toggle(grid.focused) },
      { keys: ["Mod+a"], words: "Select all", run: () => picker.all() },
      { keys: ["Escape"], words: "Select nothing", run: () => (selection.size ? selection.clear() : undefined) },
      ...ACTS.map(({ words, key, kind }) => ({ keys: [key.toLowerCase()], words, run: () => void act(kind) })),
      { keys: ["n"], words: "Name", run: () => head.edit() },
      { keys: ["Shift+m"], words: "Merge with…", run: () => void mergeWhole() },
      { keys: ["Shift+i"], words: "Ignore this person, or restore", run: () => void ignoreWhole() },
      { keys: ["u"], words: "Least sure first", run: () => changeSort(sort === "unsure" ? "time" : "unsure") },
      { keys: ["t"], words: "By time", run: () => changeSort("time") },
      { keys: ["q"], words: "Best first", run: () => changeSort("quality") },
      { keys: ["Backspace"], words: "Back to all people", run: () => go("/") },
    ],
  });
  const unheard = on("changed", refresh);
  grid.start();
  if (restore.focused) grid.focused = restore.focused;
  reload();
  times.load();
  return {
    snapshot,
    unmount: () => {
      view?.close();
      times.stop();
      unbind();
      unheard();
      stop();
    },
  };
}

const ACTS = [
  { words: "Not this person", key: "R", kind: "reject" },
  { words: "Move to…", key: "M", kind: "move" },
  { words: "New person", key: "S", kind: "split" },
  { words: "Not a face", key: "F", kind: "not_a_face" },
  { words: "Ignore", key: "I", kind: "ignore" },
];
const SORT_WORDS = /** @type {Record<string, string>} */ ({ time: "time", quality: "quality", unsure: "how unsure they are" });
