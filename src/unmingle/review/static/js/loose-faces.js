import { get, on, post, refreshFacts } from "./api.js";
import { FACES, faceImages } from "./cells.js";
import { decide, tell } from "./decisions.js";
import { emptyState, errorState, linkButton, toast } from "./dialogs.js";
import { announce, baseName, called, counted, h, number, statusWords } from "./dom.js";
import { bind } from "./keyboard.js";
import { listGrid } from "./list-grid.js";
import { moveFaces } from "./names.js";
import { setQuery, setTitle } from "./router.js";

/** @typedef {Schemas["LeftOutGroup"]} Group */

const SAID = "a person said so"; // how the reason of a decision ends

/** Every face and file without a person, and why. @type {Mount} */
export function leftOut(root, { query, restore, signal }) {
  setTitle("Left out");
  /** @type {Group[]} */ let groups = [];
  let chosen = { status: query.get("status") ?? "", reason: query.get("reason") ?? "" };
  const chips = h("div", { class: "reasons", role: "group", "aria-label": "Reason" });
  const about = h("p", { class: "reason-about" });
  const rows = listGrid({
    label: "Left out",
    cells: FACES,
    guess: 0,
    restore,
    signal,
    path: "/left-out/faces",
    items: "faces",
    query: () => chosen,
    noun: ["entry", "entries"],
    acts,
    // A file without a face has an id too, below zero, so that it can be selected.
    idOf: (row) => row.face ?? -row.file_id,
    retry: reload,
  });
  const { list, grid, message } = rows;
  root.append(h("h1", { class: "page-title", text: "Left out" }), chips, about, message, grid.root);

  const isChosen = (/** @type {Group} */ { status, reason }) => status === chosen.status && reason === chosen.reason;

  async function reload() {
    try {
      ({ groups } = await get("/left-out"));
      message.replaceChildren();
      const [first = { status: "", reason: "" }] = groups;
      if (!groups.some(isChosen)) chosen = { status: first.status, reason: first.reason };
      draw();
      if (groups.length) await list.refresh();
      rows.view()?.again();
    } catch (error) {
      message.replaceChildren(errorState(error, reload));
    }
  }

  function draw() {
    chips.replaceChildren(...groups.map(chip));
    const reason = groups.find(isChosen)?.reason;
    about.textContent = reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : "";
    if (groups.length) return;
    grid.resize(0);
    message.replaceChildren(emptyState("Nothing was left out", "Every file has a face, and every face a person."));
  }

  /** The status, and the reason too where it alone would not tell. @param {Group} group */
  function chip(group) {
    const { status, reason, faces } = group;
    const alone = groups.filter((other) => other.status === status).length === 1;
    const choose = async () => {
      chosen = { status, reason };
      setQuery(chosen);
      rows.clear();
      draw();
      await rows.restart();
      announce(`${statusWords(status)}: ${counted(faces, "entry", "entries")}`);
    };
    return h("button", { type: "button", class: "chip", "aria-pressed": String(isChosen(group)), title: reason, onclick: choose },
      alone ? statusWords(status) : `${statusWords(status)}: ${reason}`, " ", h("span", { class: "count", text: number(faces) }));
  }

  /** Only what the chosen reason allows. */
  function acts() {
    const { status, reason } = chosen;
    const said = reason.endsWith(SAID);
    return [
      { words: "Move to…", key: "M", run: move, able: status !== "unreadable" },
      { words: "This is a face", key: "F", run: () => say("face"), able: ["low_quality", "masked", "not_a_face"].includes(status) && !said },
      { words: "Restore", key: "R", run: () => say("restore"), able: said },
      { words: "Not a face", key: "X", run: () => say("not_a_face"), able: ["alone", "low_quality", "masked"].includes(status) },
      { words: "Try again", key: "T", run: retry, able: status === "unreadable" },
    ].filter(({ able }) => able);
  }

  /** Those that are meant, without files, which have ids below zero. */
  function faces() {
    const ids = rows.wanted();
    const found = ids.filter((id) => id > 0);
    if (ids.length && !found.length) toast("No face was found in these files, so there is nothing to place.");
    return found;
  }

  function rest() {
    rows.clear();
    grid.focus(grid.focused);
  }

  async function say(/** @type {string} */ kind) {
    const meant = faces();
    if (meant.length && (await decide({ kind, faces: meant }, list.revision))) rest();
  }

  async function move() {
    const meant = faces();
    if (meant.length && (await moveFaces(`${counted(meant.length, "face")}: who is this?`, meant, list.revision))) rest();
  }

  async function retry() {
    const files = rows.wanted().filter((id) => id < 0);
    let good = 0;
    for (const id of files) {
      try {
        const { status } = await post(`/files/${-id}/retry`, {});
        if (status !== "unreadable") good += 1;
      } catch (error) {
        return tell(error);
      }
    }
    if (!files.length) return;
    toast(`${number(good)} of ${counted(files.length, "file")} can be read now.${good ? " Their faces are grouped at the next run." : ""}`);
    rows.clear();
    await reload();
    await refreshFacts().catch(() => {});
  }

  const keys = { m: "Move to a person", f: "This is a face", r: "Restore", x: "Not a face", t: "Try again" };
  bind("Left out", [
    ...rows.bindings("See the picture", ["Space"]),
    ...Object.entries(keys).map(([key, words]) => ({ keys: [key], words, run: () => void acts().find((act) => act.key.toLowerCase() === key)?.run() })),
  ], signal);
  on("changed", () => void reload(), signal);
  rows.start();
  void reload();
  return rows;
}

/** A face, and those most like it, wherever they are. @type {Mount} */
export function facesLike(root, { params, restore, signal }) {
  setTitle("Faces like this");
  const id = Number(params[0]);
  const head = h("header", { class: "like-head" }, h("h1", { class: "page-title", text: "Faces like this" }));
  const acts = [
    { words: "The same person", key: "Y", primary: true, run: same },
    { words: "Move to…", key: "M", run: () => move(rows.wanted()) },
    { words: "New person", key: "S", run: () => say({ kind: "split", faces: rows.wanted() }) },
    { words: "Not a face", key: "F", run: () => say({ kind: "not_a_face", faces: rows.wanted() }) },
  ];
  const rows = listGrid({
    label: "Faces like this",
    cells: FACES,
    guess: 12,
    restore,
    signal,
    path: `/faces/${id}/alike`,
    items: "faces",
    idOf: (row) => row.face,
    noun: ["face"],
    acts: () => acts,
    retry: reload,
    gone: (error) => {
      grid.resize(0);
      message.replaceChildren(emptyState(error.problem, error.mend, linkButton("All people", "/")));
    },
    onChange: () => message.replaceChildren(...(list.total === 1 ? [emptyState("There is no other face", "All faces of the library are this person’s.")] : [])),
  });
  const { list, grid, message } = rows;
  root.append(head, message, grid.root);

  async function reload() {
    try {
      const about = await get(`/faces/${id}`);
      const who = about.person === null ? statusWords(about.status) : h("a", { href: `/people/${about.person}`, text: called(about) });
      const words = h("p", {}, who, ` · ${baseName(about.file)}`);
      head.replaceChildren(...faceImages([id]), h("div", {}, h("h1", { class: "page-title", text: "Faces like this" }), words));
    } catch (error) {
      if (/** @type {any} */ (error).status !== 404) message.replaceChildren(errorState(error, reload));
    }
  }

  async function say(/** @type {{kind: string, faces: number[], person?: number}} */ body) {
    if (body.faces.length && (await decide(body, list.revision))) rows.clear();
  }

  async function move(/** @type {number[]} */ faces) {
    if (faces.length && (await moveFaces(`${counted(faces.length, "face")}: who is this?`, faces, list.revision))) rows.clear();
  }

  /** This face and those chosen are one person: whose it is, or else theirs; without any, somebody new. */
  async function same() {
    const [own, ...others] = await Promise.all([id, ...rows.wanted().filter((face) => face !== id)].map((face) => get(`/faces/${face}`)));
    if (!others.length) return;
    const people = [...new Set([own, ...others].map(({ person }) => person).filter((person) => person !== null))];
    const person = own.person ?? (people.length === 1 ? people[0] : null);
    const faces = [own, ...others].filter((one) => person === null || one.person !== person).map(({ face }) => face);
    if (person === null && people.length) return move(faces);
    return say(person === null ? { kind: "split", faces } : { kind: "assign", faces, person });
  }

  bind("Faces like this", [
    ...rows.bindings("See the picture", ["x", "Space"]),
    ...acts.map(({ words, key, run }) => ({ keys: [key.toLowerCase()], words, run: () => void run() })),
  ], signal);
  on("changed", () => {
    void reload();
    void list.refresh().then(() => rows.view()?.again());
  }, signal);
  rows.start();
  void reload();
  return rows;
}
