import { decide } from "../actions.js";
import { get } from "../api.js";
import { FACES } from "../cells.js";
import { announce, button, h, icon } from "../dom.js";
import { openFace } from "../face-view.js";
import { baseName, called, counted, number, timecode } from "../format.js";
import { bind, typing } from "../keyboard.js";
import { lane, showTip, walkable } from "../lanes.js";
import { listGrid } from "../list-grid.js";
import { asNamed, nameField } from "../name-field.js";
import { askPerson, moveFaces } from "../person-dialogs.js";
import { back, go, setQuery, setTitle } from "../router.js";
import { on, session } from "../session.js";
import { emptyState, errorState, showDock, toast } from "../toasts.js";

/** One person and all their faces. @type {import("../router.js").Mount} */
export function mount(root, { params, query, restore }) {
  const id = Number(params[0]);
  /** @type {any} */ let person = null;
  let sort = query.get("sort") ?? "time";
  /** @type {ReturnType<typeof openFace>|null} */ let view = null;
  const message = h("div", { class: "message" });
  const head = personHead({ id, sort, onSort: changeSort, seen: () => list.revision, onMerge: mergeWhole, onIgnore: ignoreWhole });

  /** Faces that a decision is about which was not answered yet: the same key twice is meant for two of them. @type {Set<number>} */
  const deciding = new Set();

  const faceList = listGrid({
    label: "Faces",
    ...FACES,
    guess: 40,
    restore,
    onPick: offer,
    load: (offset, limit, signal) => get(`/people/${id}/faces`, { sort, offset, limit }, signal).then(({ faces: items, ...more }) => ({ items, ...more })),
    idOf: (face) => face.face,
    open,
    onError: (error) => {
      if (error.status === 404) gone(error);
      else if (list.total === null) message.replaceChildren(errorState(error, reload));
    },
  });
  const { list, grid, selection } = faceList;
  const times = personTimes({ person: id, open: (faces, at) => openPicture(at, () => faces.length, async (index) => faces[index]) });
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

  function gone(/** @type {any} */ error) {
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

  function changeSort(/** @type {string} */ order) {
    if (order === sort) return;
    sort = order;
    setQuery({ sort: sort === "time" ? "" : sort });
    head.sorted(sort);
    faceList.restart().then(() => typing(document.activeElement) || grid.focus(0));
    announce(`Sorted by ${SORT_WORDS[sort]}`);
  }

  function offer(/** @type {number[]} */ picked) {
    const acts = ACTS.map(({ words, key, kind }) => ({ words, key, run: () => void act(kind) }));
    acts.push({ words: "Clear", key: "Esc", run: () => void selection.clear() });
    showDock(`${counted(picked.length, "face")} selected`, picked.length ? acts : []);
  }

  /** What an action is about: what is selected, or else the face that has the focus. */
  function faces() {
    if (selection.ids.size) return selection.list();
    const face = faceList.current();
    if (!face) toast("Select faces first: click one, or move with the arrows and press X.");
    return face ? [face.face] : [];
  }

  /** @param {string} kind @param {number[]} [all] */
  async function act(kind, all = faces()) {
    const about = all.filter((face) => !deciding.has(face));
    if (!about.length) return;
    const title = `Move ${counted(about.length, "face")} to…`;
    if (kind === "move") return void ((await moveFaces({ title, person: id, faces: about, seen: list.revision })) && rest());
    for (const face of about) deciding.add(face);
    const done = await decide(bodyOf(kind, about), { seen: list.revision });
    if (done) await rest();
    for (const face of about) deciding.delete(face);
  }

  /** Once it is done, the next face has the focus. */
  async function rest() {
    selection.clear();
    if (!view && !typing(document.activeElement)) grid.focus(Math.min(grid.focused, Math.max(0, (list.total ?? 1) - 1)));
    await list.settled();
  }

  const bodyOf = (/** @type {string} */ kind, /** @type {number[]} */ about) => (kind === "reject" ? { kind, faces: about, person: id } : { kind, faces: about });

  async function mergeWhole() {
    await loaded;
    if (!person) return;
    const where = await askPerson({ title: `${called(person)} is the same as…`, person: id });
    if (!where || !("person" in where)) return;
    const outcome = await decide({ kind: "merge", person: where.person, others: [id] }, { seen: list.revision });
    if (outcome) go(`/people/${where.person}`, { replace: true });
  }

  async function ignoreWhole() {
    await loaded;
    return person && decide({ kind: person.ignored ? "restore" : "ignore", person: id }, { seen: list.revision });
  }

  function open(/** @type {number} */ index) {
    openPicture(index, () => list.total ?? grid.total, faceList.faceAt, (at) => grid.root.isConnected && grid.focus(at));
  }

  /** @param {number} index @param {() => number} total @param {(at: number) => Promise<number|null>} faceAt @param {(at: number) => void} [closed] */
  function openPicture(index, total, faceAt, closed) {
    const acts = ACTS.map(({ words, key, kind }) => ({ words, key, run: (/** @type {number} */ face) => act(kind, [face]) }));
    const onClose = (/** @type {number} */ at) => {
      view = null;
      closed?.(at);
    };
    view = openFace({ index, total, faceAt, acts, onClose });
  }

  const unbind = bind({
    title: "This person",
    bindings: [
      ...faceList.bindings("See the picture", ["x", "Space"]),
      ...ACTS.map(({ words, key, kind }) => ({ keys: [key.toLowerCase()], words, run: () => void act(kind) })),
      { keys: ["n"], words: "Name", run: () => head.edit() },
      { keys: ["Shift+m"], words: "Merge with…", run: () => void mergeWhole() },
      { keys: ["Shift+i"], words: "Ignore this person, or restore", run: () => void ignoreWhole() },
      { keys: ["u"], words: "Least sure first", run: () => changeSort(sort === "unsure" ? "time" : "unsure") },
      { keys: ["t"], words: "By time", run: () => changeSort("time") },
      { keys: ["q"], words: "Best first", run: () => changeSort("quality") },
      { keys: ["Backspace"], words: "Back to all people", run: back },
    ],
  });
  const unheard = on("changed", refresh);
  faceList.start();
  const loaded = reload(); // keys may be quicker
  times.load();
  return {
    snapshot: () => ({ ...faceList.snapshot(), picture: view?.at() }),
    placeOf: faceList.placeOf,
    reopen: ({ picture }) => picture !== undefined && !view && open(picture),
    unmount: () => {
      head.leave();
      view?.close();
      times.stop();
      unbind();
      unheard();
      faceList.stop();
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

const SORTS = [["time", "Time", "T"], ["quality", "Quality", "Q"], ["unsure", "Least sure", "U"]];

/**
 * The name, the numbers and the order of a person's page.
 * @param {{id: number, sort: string, onSort: (sort: string) => void, seen: () => number|null, onMerge: () => void, onIgnore: () => void}} options
 */
function personHead({ id, sort, onSort, seen, onMerge, onIgnore }) {
  /** @type {any} */ let person = null;
  /** @type {ReturnType<typeof nameField>|null} */ let field = null;
  const title = h("h1", { class: "person-name" });
  const facts = h("p", { class: "person-facts" });
  const ignore = button("Ignore", { onclick: onIgnore, class: "quiet-button" });
  const orders = SORTS.map(([value, words, key]) => {
    const order = button(words, { key, onclick: () => onSort(value), class: "segment" });
    order.dataset.value = value;
    return order;
  });
  const element = h("header", { class: "person-head", "data-sticky": "" },
    h("a", { class: "tool back", href: "/", "aria-label": "All people", onclick: goBack }, icon("left")),
    h("div", { class: "person-title" }, title, facts),
    h("div", { class: "segments", role: "group", "aria-label": "Sort by" }, ...orders),
    h("div", { class: "person-tools" }, button("Merge with…", { onclick: onMerge, class: "quiet-button" }), ignore),
  );

  const sorted = (/** @type {string} */ now) => {
    for (const order of orders) order.setAttribute("aria-pressed", String(order.dataset.value === now));
  };

  const edit = () => {
    if (field) return;
    field = nameField({
      person: person ? asNamed(person, person.revision) : { person: id, name: "" }, // keys may be quicker than the answer
      seen,
      again: () => title.isConnected && edit(),
      done: ({ merged, to }) => {
        field = null;
        title.replaceChildren(...(person ? [nameButton()] : []));
        if (to !== "elsewhere") title.querySelector("button")?.focus();
        if (merged !== undefined) go(`/people/${merged}`, { replace: true });
      },
    });
    title.replaceChildren(field.element);
    field.focus();
  };

  const nameButton = () => {
    const now = asNamed(person, person.revision);
    return h("button", { type: "button", class: now.name ? "name-button" : "name-button unnamed", title: "Change the name (N)", onclick: edit }, h("span", { text: now.pending ? `Saving “${now.pending}”…` : called(now) }), icon("pencil"));
  };

  const show = (/** @type {any} */ now) => {
    person = now;
    const held = title.contains(document.activeElement);
    if (!field) title.replaceChildren(nameButton());
    if (!field && held) title.querySelector("button")?.focus();
    facts.replaceChildren(...factsOf(person));
    /** @type {HTMLElement} */ (ignore.querySelector("span")).textContent = person.ignored ? "Restore" : "Ignore";
  };

  sorted(sort);
  return { element, show, edit, sorted, leave: () => field?.save("elsewhere") };
}

function goBack(/** @type {Event} */ event) {
  const { ctrlKey, metaKey, shiftKey } = /** @type {MouseEvent} */ (event);
  if (ctrlKey || metaKey || shiftKey) return; // in another tab
  event.preventDefault();
  back();
}

function factsOf(/** @type {any} */ person) {
  const facts = [counted(person.faces, "face")];
  if (person.unsure) facts.push(`${number(person.unsure)} unsure`);
  if (person.new) facts.push(`${number(person.new)} new`);
  if (person.ignored) facts.push("ignored");
  const nodes = facts.map((words) => h("span", { text: words }));
  if (person.cohesion !== null) nodes.push(h("span", { title: "How alike the faces are to each other, on average: 1 is the most", text: `alike ${person.cohesion.toFixed(2)}` }));
  return nodes;
}

const SHOWN = 4; // recordings, until somebody wants to see all
const MOST = 200;
const PAUSE = 600; // milliseconds without a change before it is asked for again: it takes a while in long recordings

/**
 * Where a person is on screen: a row for each recording; nothing where there is none.
 * @param {{person: number, open: (faces: number[], at: number) => void}} options
 * open: shows one of these faces in its picture
 */
function personTimes({ person, open }) {
  const element = h("section", { class: "person-times", "aria-label": "On screen" });
  let timer = 0;
  let stopped = false;
  let all = false;
  let told = "";

  async function load() {
    if (session.library?.recordings === 0) return;
    try {
      const { recordings } = await get("/timeline", { person, limit: MOST });
      const now = JSON.stringify(recordings);
      if (stopped || now === told) return;
      told = now;
      draw(recordings);
    } catch {
      // The page tells of its own requests what is wrong; without this part it is whole.
    }
  }

  function draw(/** @type {any[]} */ recordings) {
    showTip(null);
    const longest = [...recordings].sort((one, other) => other.people[0].seconds - one.people[0].seconds);
    const shown = all ? recordings : recordings.filter((one) => longest.indexOf(one) < SHOWN);
    const rest = recordings.length - shown.length;
    const faces = shown.flatMap((facts) => facts.people[0].intervals.map((/** @type {any} */ time) => time.face));
    let before = 0;
    const rows = shown.map((facts) => {
      const [one] = facts.people;
      const first = before;
      before += one.intervals.length;
      return row(facts, one, (at) => open(faces, first + at));
    });
    const more = rest ? button(`Show ${counted(rest, "more recording")}`, { class: "quiet-button", onclick: () => unfold(recordings) }) : null;
    element.replaceChildren(...rows, ...(more ? [more] : []));
    walkable(element, shown.map((facts) => facts.people[0]));
  }

  function unfold(/** @type {any[]} */ recordings) {
    all = true;
    draw(recordings);
    /** @type {HTMLElement|null} */ (element.querySelector('.bar-time[tabindex="0"]'))?.focus();
  }

  return {
    element,
    load,
    clear: () => {
      told = "";
      element.replaceChildren();
    },
    again: () => {
      clearTimeout(timer);
      timer = window.setTimeout(load, PAUSE);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      showTip(null);
    },
  };
}

function row(/** @type {any} */ facts, /** @type {any} */ one, /** @type {(at: number) => void} */ open) {
  const file = baseName(facts.file);
  return h("div", { class: "track-row" },
    h("p", { class: "track-who", title: facts.file },
      h("span", { class: "track-name", text: file }),
      h("span", { class: "track-seconds", text: `${timecode(one.seconds, one.seconds < 60 ? 1 : 0)} of ${timecode(facts.duration)}` }),
    ),
    lane(one, {
      duration: facts.duration,
      label: `${called(one)} in ${file}: ${counted(one.intervals.length, "time")} on screen`,
      barOf: (at, words) => h("button", { type: "button", "aria-label": `${words}: see the picture`, onclick: () => open(at) }),
    }),
  );
}
