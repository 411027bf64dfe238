import { get, session } from "./api.js";
import { choice, FACES } from "./cells.js";
import { decide, erase } from "./decisions.js";
import { confirmed, emptyState, errorState, linkButton, press, toast } from "./dialogs.js";
import { announce, baseName, button, called, counted, debounced, h, icon, number, spans, timecode, typing } from "./dom.js";
import { lane, onScreen, walkable } from "./lanes.js";
import { listGrid } from "./list-grid.js";
import { asNamed, askPerson, breakUp, moveFaces, nameField } from "./names.js";
import { back, go, setQuery, setTitle, wallQuery } from "./router.js";

/** The orders of faces; the key of each is its first letter. */
const SORTS = /** @type {Record<string, string>} */ ({ time: "Time", quality: "Quality", unsure: "Least sure" });

/** One person and all their faces. @type {Mount} */
export function person(root, visit) {
  const { params, query, signal } = visit;
  const id = Number(params[0]);
  /** @type {Schemas["WholePerson"]|null} */ let about = null;
  /** @type {ReturnType<typeof nameField>|null} */ let field = null;
  let sort = query.get("sort") ?? "time";
  /** What is about the whole person waits until it is known who that is. @param {(now: Schemas["WholePerson"]) => unknown} run */
  const whole = (run) => async () => {
    await loaded;
    if (about) await run(about);
  };
  const partUp = whole((now) => breakUp(id, called(now)));
  const ignore = whole((now) => decide({ kind: now.ignored ? "restore" : "ignore", person: id }, list.revision));
  const eraseWhole = whole(async (now) => {
    const who = called(now);
    const words = `${counted(now.faces, "face")}, the name and what was decided about ${who} go from every file of the library. Nothing brings them back: no undo, and not the same pictures added again. Reports and other pages are deleted; pictures stay as they are.`;
    if (await confirmed(`Erase ${who} for good?`, [h("p", { text: words })], "Erase")) await erase(id, list.revision, () => go("/", { replace: true }));
  });
  const faces = listGrid(visit, {
    label: "This person",
    cells: FACES,
    path: `/people/${id}/faces`,
    query: () => ({ sort }),
    whose: id,
    noun: ["face"],
    acts: [
      { words: "These are right", key: "Y", kind: "assign", person: id },
      { words: "Not this person", key: "R", kind: "reject", person: id },
      { words: "Move to…", key: "M", run: (faces) => moveFaces(faces, list.revision, id) },
      { words: "New person", key: "S", kind: "split" },
      { words: "Not a face", key: "F", kind: "not_a_face" },
      { words: "Ignore", key: "I", kind: "ignore" },
    ],
    keys: [
      { keys: ["n"], words: "Name", run: edit },
      { keys: ["Shift+m"], words: "Merge with…", run: mergeWhole },
      { keys: ["Shift+i"], words: "Ignore this person, or restore", run: ignore },
      { keys: ["j"], words: "Next person", run: () => step("after") },
      { keys: ["k"], words: "Previous person", run: () => step("before") },
      { keys: ["b"], words: "Break up…", run: partUp },
      { keys: ["d"], words: "Select the doubtful ones", run: () => loaded.then(doubts.select) },
      ...Object.entries(SORTS).map(([order, words]) => ({ keys: [order[0]], words: `Order: ${words}`, run: () => changeSort(order === sort && order === "unsure" ? "time" : order) })),
      { keys: ["Backspace"], words: "Back to all people", run: back },
    ],
    renew: refresh,
    gone,
  });
  const { list, grid, message } = faces;
  const doubts = chooseDoubtful((below) => void faces.first(below, changeSort("unsure")));
  const alike = h("nav", { class: "naming-choices people-like", "aria-label": "People like this", hidden: true });
  const times = personTimes(id, signal, (shown, at) => faces.look({ index: at, total: () => shown.length, faceAt: async (index) => shown[index] }));

  // Until the answer comes it says to those who hear the page what they will see.
  const title = h("h1", { class: "person-name" }, h("span", { class: "unseen", text: `Person ${id}` }));
  const facts = h("p", { class: "person-facts" });
  const quiet = (/** @type {string} */ words, /** @type {() => void} */ onclick) => button(words, { onclick, class: "quiet-button" });
  const ignoring = quiet("Ignore", ignore);
  const orders = h("div", { class: "segments", role: "group", "aria-label": "Sort by" }, ...Object.entries(SORTS).map(([order, words]) =>
    button(words, { key: order[0].toUpperCase(), onclick: () => changeSort(order), class: "segment", attrs: { "data-value": order } })));
  const head = h("header", { class: "person-head" },
    h("a", { class: "tool back", href: "/", "aria-label": "All people", "data-back": true }, icon("left")),
    h("div", { class: "person-title" }, title, facts),
    orders,
    h("div", { class: "person-tools" }, quiet("Merge with…", mergeWhole), quiet("Break up…", partUp), ignoring, quiet("Erase…", eraseWhole)),
  );
  root.append(head, doubts.element, alike, times.element, message, grid.root);

  const reload = () => get(`/people/${id}`).then(show).catch(gone);

  function show(/** @type {Schemas["WholePerson"]} */ now) {
    about = now;
    message.replaceChildren();
    setTitle(called(now));
    grid.root.ariaLabel = `Faces of ${called(now)}`;
    doubts.show(now.below);
    const held = title.contains(document.activeElement);
    if (!field) title.replaceChildren(nameButton(now));
    if (!field && held) title.querySelector("button")?.focus();
    facts.replaceChildren(...spans(counted(now.faces, "face"), now.unsure && `${number(now.unsure)} unsure`, now.new && `${number(now.new)} new`, now.ignored && "ignored"));
    const alike = "How alike the faces are to each other, on average: 1 is the most";
    if (now.cohesion !== null) facts.append(h("span", { title: alike, text: `alike ${now.cohesion.toFixed(2)}` }));
    ignoring.replaceChildren(h("span", { text: now.ignored ? "Restore" : "Ignore" }));
  }

  function nameButton(/** @type {Schemas["WholePerson"]} */ whole) {
    const now = asNamed(whole, whole.revision);
    const text = now.pending ? `Saving “${now.pending}”…` : called(now);
    return h("button", { type: "button", class: now.name ? "name-button" : "name-button unnamed", title: "Change the name (N)", onclick: edit }, h("span", { text }), icon("pencil"));
  }

  function edit() {
    if (field) return;
    field = nameField({
      person: about ? asNamed(about, about.revision) : { person: id, name: "" }, // keys may be quicker than the answer
      seen: () => list.revision,
      again: () => title.isConnected && edit(),
      done: ({ merged, to }) => {
        field = null;
        title.replaceChildren(...(about ? [nameButton(about)] : []));
        if (to !== "elsewhere") title.querySelector("button")?.focus();
        if (merged !== undefined) go(`/people/${merged}`, { replace: true });
      },
    });
    title.replaceChildren(field.element);
  }

  function gone(/** @type {import("./api.js").ApiError} */ error) {
    if (error.status !== 404) return message.replaceChildren(errorState(error, reload));
    if (error.mergedInto) {
      toast(`Person ${id} became part of this one.`);
      return go(`/people/${error.mergedInto}`, { replace: true });
    }
    faces.clear();
    grid.resize(0);
    head.hidden = true;
    doubts.show([]);
    setTitle("Nobody");
    message.replaceChildren(emptyState("Nobody is here any more", "All faces went elsewhere. Ctrl+Z brings them back.", linkButton("All people", "/")));
  }

  async function refresh() {
    beside = findBeside();
    times.again();
    void findAlike();
    await Promise.all([reload(), list.refresh()]);
    if (list.total) head.hidden = false;
  }

  /** Who may be the same, with how likely that is. */
  async function findAlike() {
    const { people } = await get("/alike", { person: id, limit: 6 }, signal).catch(() => ({ people: [] }));
    const likely = people.filter((/** @type {Known} */ one) => (one.probability ?? 0) >= 0.01);
    alike.hidden = !likely.length;
    const links = likely.map((/** @type {Known} */ one) => choice("a", { href: `/people/${one.person}` }, one));
    alike.replaceChildren(h("span", { class: "quiet", text: "Like this:" }), ...links);
  }

  async function changeSort(/** @type {string} */ order) {
    if (order === sort) return;
    sort = order;
    setQuery({ sort: sort === "time" ? "" : sort });
    press(orders, sort);
    announce(`Order: ${SORTS[sort]}`);
    await faces.restart();
    if (!typing(document.activeElement) && !doubts.element.contains(document.activeElement)) grid.focus(0);
  }

  async function mergeWhole() {
    // At once: what is typed next is meant for it.
    const where = await askPerson(`${about ? called(about) : "This person"} is the same as…`, { person: id });
    await loaded;
    if (where?.person === undefined || !about) return;
    const outcome = await decide({ kind: "merge", person: where.person, others: [id] }, list.revision);
    if (outcome) go(`/people/${where.person}`, { replace: true });
  }

  /** To who stands beside this one on the wall, as that was left. @param {"before"|"after"} way */
  async function step(way) {
    if (!(await beside)) beside = findBeside(); // that failed
    const found = await beside;
    if (found?.[way]) go(`/people/${found[way]}`, { replace: true });
    else announce("There is nobody more.");
  }

  const findBeside = () => get(`/people/${id}/beside`, wallQuery(), signal).catch(() => null);
  let beside = findBeside(); // beforehand: the key after J is about the next person
  signal.addEventListener("abort", () => field?.save("elsewhere"));
  press(orders, sort);
  faces.start();
  const loaded = reload(); // keys may be quicker
  void times.load();
  void findAlike();
  if (visit.restore.naming) edit();
  return faces;
}

/** Chooses faces by how sure they are: what is chosen is seen before anything is done with it. @param {(faces: number) => void} choose so many, the least sure */
function chooseDoubtful(choose) {
  /** @type {number[]} */ let below = [];
  const count = () => below[range.valueAsNumber] ?? 0;
  const select = () => (count() ? choose(count()) : announce("No face is so doubtful."));
  const tell = () => {
    act.firstElementChild?.replaceChildren(`Select the ${counted(count(), "face")} below ${range.value} %`);
    act.disabled = !count();
  };
  const pull = () => {
    tell();
    choose(count());
  };
  const range = h("input", { type: "range", min: 1, max: 100, value: 50, "aria-label": "Less sure than, in percent", oninput: pull });
  const act = button("", { key: "D", class: "quiet-button", onclick: select });
  const element = h("div", { class: "doubts" }, range, act); // there before anything is known: what is below must not move
  const show = (/** @type {number[]} */ now) => {
    below = now;
    element.hidden = !below[100];
    tell();
  };
  return { element, select, show };
}

const SHOWN = 4; // recordings, until somebody wants to see all
const MOST = 200;
const PAUSE = 600; // milliseconds without a change before it is asked for again: it takes a while in long recordings

/** Where a person is on screen: a row for each recording. open: shows one of these faces in its picture. @type {PersonTimes} */
function personTimes(id, signal, open) {
  const element = h("section", { class: "person-times", "aria-label": "On screen" });
  let told = "";

  async function load() {
    if (signal.aborted || session.library?.recordings === 0) return;
    // The page tells of its own requests what is wrong; without this part it is whole.
    const found = await get("/timeline", { person: id, limit: MOST }).catch(() => null);
    const now = JSON.stringify(found?.recordings);
    if (signal.aborted || !found || now === told) return;
    told = now;
    draw(found.recordings);
  }

  function draw(/** @type {Recording[]} */ recordings) {
    const longest = recordings.toSorted((one, other) => other.people[0].seconds - one.people[0].seconds).slice(0, SHOWN);
    const ordered = [...recordings.filter((one) => longest.includes(one)), ...recordings.filter((one) => !longest.includes(one))];
    const faces = ordered.flatMap(({ people: [one] }) => one.intervals.map(({ face }) => face));
    const rows = ordered.map((recording) => row(recording, (face) => open(faces, faces.indexOf(face))));
    const rest = rows.splice(SHOWN);
    const words = h("summary", { text: counted(rest.length, "more recording") });
    const more = h("details", { open: element.querySelector("[open]") !== null }, words, ...rest);
    element.replaceChildren(...rows, ...(rest.length ? [more] : []));
    walkable(element);
  }

  return { element, load, again: debounced(load, PAUSE) };
}

/** @param {Recording} recording @param {(face: number) => void} open */
function row({ file, duration, people: [one] }, open) {
  const name = baseName(file);
  const who = h("p", { class: "track-who", title: file },
    h("span", { class: "track-name", text: name }),
    h("span", { class: "track-seconds", text: `${onScreen(one)} of ${timecode(duration)}` }),
  );
  return lane(who, one, {
    duration,
    label: `${called(one)} in ${name}: ${counted(one.intervals.length, "time")} on screen`,
    barOf: (at, words) => h("button", { type: "button", "aria-label": `${words}: see the picture`, onclick: () => open(one.intervals[at].face) }),
  });
}
