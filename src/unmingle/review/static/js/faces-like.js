import { get, on } from "./api.js";
import { FACES, faceImages } from "./cells.js";
import { decide } from "./decisions.js";
import { emptyState, errorState, linkButton } from "./dialogs.js";
import { h } from "./dom.js";
import { baseName, called, counted, statusWords } from "./format.js";
import { bind } from "./keyboard.js";
import { listGrid } from "./list-grid.js";
import { moveFaces } from "./names.js";
import { setTitle } from "./router.js";

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
