import { decided, get, post } from "./api.js";
import { FACES, faceImages } from "./cells.js";
import { decide, tell } from "./decisions.js";
import { emptyState, fillIn, toast } from "./dialogs.js";
import { announce, baseName, called, counted, h, number, statusWords } from "./dom.js";
import { listGrid } from "./list-grid.js";
import { moveFaces } from "./names.js";
import { setQuery } from "./router.js";

/** @typedef {Schemas["LeftOutGroup"]} Group */

const SAID = "a person said so"; // how the reason of a decision ends

/** Every face and file without a person, and why. @type {Mount} */
export function leftOut(root, visit) {
  const { query } = visit;
  /** @type {Group[]} */ let groups = [];
  let chosen = { status: query.get("status") ?? "", reason: query.get("reason") ?? "" };
  const chips = h("div", { class: "reasons", role: "group", "aria-label": "Reason" });
  const about = h("p", { class: "reason-about" });
  const isOf = (/** @type {string[]} */ ...statuses) => statuses.includes(chosen.status);
  const isSaid = () => chosen.reason.endsWith(SAID);
  const rows = listGrid(visit, {
    label: "Left out",
    cells: FACES,
    guess: 0,
    path: "/left-out/faces",
    query: () => chosen,
    noun: ["entry", "entries"],
    acts: [ // only what the chosen reason allows
      { words: "Move to…", key: "M", run: (faces) => moveFaces(faces, list.revision), able: () => !isOf("unreadable") },
      { words: "This is a face", key: "F", kind: "face", able: () => isOf("low_quality", "masked", "not_a_face") && !isSaid() },
      { words: "Restore", key: "R", kind: "restore", able: isSaid },
      { words: "Not a face", key: "X", kind: "not_a_face", able: () => isOf("alone", "low_quality", "masked") },
      { words: "Try again", key: "T", run: retry, able: () => isOf("unreadable"), files: true },
    ],
    empty: () => list.total === 0 && emptyState("Nothing was left out", "Every file has a face, and every face a person."),
    renew: () => reload(),
  });
  const { list, grid, message } = rows;
  root.append(h("h1", { class: "page-title", text: "Left out" }), chips, about, message, grid.root);

  const isChosen = (/** @type {Group} */ { status, reason }) => status === chosen.status && reason === chosen.reason;

  const reload = () => fillIn(message, async () => {
    ({ groups } = await get("/left-out"));
    const [first = { status: "", reason: "" }] = groups;
    if (!groups.some(isChosen)) chosen = { status: first.status, reason: first.reason };
    draw();
    await list.refresh();
  });

  function draw() {
    chips.replaceChildren(...groups.map(chip));
    const reason = groups.find(isChosen)?.reason;
    about.textContent = reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : "";
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

  async function retry(/** @type {number[]} */ files) {
    let good = 0;
    for (const id of files) {
      try {
        const { status } = await post(`/files/${-id}/retry`, {});
        if (status !== "unreadable") good += 1;
      } catch (error) {
        return tell(error);
      }
    }
    toast(`${number(good)} of ${counted(files.length, "file")} can be read now.${good ? " Their faces are grouped at the next run." : ""}`);
    decided(null);
    return true;
  }

  rows.start();
  void reload();
  return rows;
}

/** A face, and those most like it, wherever they are. @type {Mount} */
export function facesLike(root, visit) {
  const id = Number(visit.params[0]);
  const head = h("header", { class: "like-head" }, h("h1", { class: "page-title", text: "Faces like this" }));
  const move = (/** @type {number[]} */ faces) => moveFaces(faces, list.revision);
  const rows = listGrid(visit, {
    label: "Faces like this",
    cells: FACES,
    path: `/faces/${id}/alike`,
    noun: ["face"],
    acts: [
      { words: "The same person", key: "Y", primary: true, run: same },
      { words: "Move to…", key: "M", run: move },
      { words: "New person", key: "S", kind: "split" },
      { words: "Not a face", key: "F", kind: "not_a_face" },
    ],
    renew: () => Promise.all([reload(), list.refresh()]),
    empty: () => list.total === 1 && emptyState("There is no other face", "All faces of the library are this person’s."),
  });
  const { list, grid, message } = rows;
  root.append(head, message, grid.root);

  const reload = () => fillIn(message, async () => {
    const about = await get(`/faces/${id}`);
    const who = about.person === null ? statusWords(about.status) : h("a", { href: `/people/${about.person}`, text: called(about) });
    const words = h("p", {}, who, ` · ${baseName(about.file)}`);
    head.replaceChildren(...faceImages([id]), h("div", {}, h("h1", { class: "page-title", text: "Faces like this" }), words));
  });

  /** This face and those chosen are one person: whose it is, or else theirs; without any, somebody new. @param {number[]} chosen */
  async function same(chosen) {
    const [own, ...others] = await Promise.all([id, ...chosen.filter((face) => face !== id)].map((face) => get(`/faces/${face}`)));
    if (!others.length) return null;
    const people = [...new Set([own, ...others].map(({ person }) => person).filter((person) => person !== null))];
    const person = own.person ?? (people.length === 1 ? people[0] : null);
    const faces = [own, ...others].filter((one) => person === null || one.person !== person).map(({ face }) => face);
    if (person === null && people.length) return move(faces);
    return decide(person === null ? { kind: "split", faces } : { kind: "assign", faces, person }, list.revision);
  }

  rows.start();
  void reload();
  return rows;
}
