import { decide, tell } from "../actions.js";
import { get, post } from "../api.js";
import { announce, h } from "../dom.js";
import { FACES } from "../cells.js";
import { openFace } from "../face-view.js";
import { counted, number, statusWords } from "../format.js";
import { bind } from "../keyboard.js";
import { listGrid } from "../list-grid.js";
import { moveFaces } from "../person-dialogs.js";
import { setQuery, setTitle } from "../router.js";
import { on, refreshFacts } from "../session.js";
import { emptyState, errorState, showDock, toast } from "../toasts.js";

const SAID = "a person said so"; // how the reason of a decision ends

/** Every face and file without a person, and why. @type {import("../router.js").Mount} */
export function mount(root, { query, restore }) {
  setTitle("Left out");
  /** @type {any[]} */ let groups = [];
  let chosen = { status: query.get("status") ?? "", reason: query.get("reason") ?? "" };
  /** @type {ReturnType<typeof openFace>|null} */ let view = null;
  const chips = h("div", { class: "reasons", role: "group", "aria-label": "Reason" });
  const about = h("p", { class: "reason-about" });
  const message = h("div", { class: "message" });

  /** A file without a face has an id too, below zero, so that it can be selected. @param {any} row */
  const idOf = (row) => (row.face === null ? -row.file_id : row.face);

  const faceList = listGrid({
    label: "Left out",
    ...FACES,
    guess: 0,
    restore,
    onPick: offer,
    load: (offset, limit, signal) => get("/left-out/faces", { ...chosen, offset, limit }, signal).then(({ faces: items, ...more }) => ({ items, ...more })),
    idOf,
    open,
    onError: (error) => {
      if (list.total === null) message.replaceChildren(errorState(error, reload));
    },
  });
  const { list, grid, selection } = faceList;
  root.append(h("h1", { class: "page-title", text: "Left out" }), chips, about, message, grid.root);

  async function reload() {
    try {
      ({ groups } = await get("/left-out"));
      message.replaceChildren();
      if (!groups.some(isChosen)) chosen = groups.length ? { status: groups[0].status, reason: groups[0].reason } : { status: "", reason: "" };
      draw();
      if (groups.length) await list.refresh();
    } catch (error) {
      message.replaceChildren(errorState(error, reload));
    }
  }

  const isChosen = (/** @type {any} */ group) => group.status === chosen.status && group.reason === chosen.reason;

  function draw() {
    chips.replaceChildren(...groups.map((group) => chip(group)));
    const group = groups.find(isChosen);
    about.textContent = group ? sentence(group.reason) : "";
    if (!groups.length) {
      grid.resize(0);
      message.replaceChildren(emptyState("Nothing was left out", "Every file has a face, and every face a person."));
    }
  }

  function chip(/** @type {any} */ group) {
    const element = h("button", { type: "button", class: "chip", "aria-pressed": String(isChosen(group)), title: group.reason }, wordsOf(group), " ", h("span", { class: "count", text: number(group.faces) }));
    element.addEventListener("click", () => choose(group));
    return element;
  }

  /** The status, and the reason too where it alone would not tell. @param {any} group */
  function wordsOf(group) {
    const alone = groups.filter(({ status }) => status === group.status).length === 1;
    return alone ? statusWords(group.status) : `${statusWords(group.status)}: ${group.reason}`;
  }

  function choose(/** @type {any} */ group) {
    chosen = { status: group.status, reason: group.reason };
    setQuery(chosen);
    selection.clear();
    draw();
    faceList.restart().then(() => announce(`${statusWords(group.status)}: ${counted(group.faces, "entry", "entries")}`));
  }

  function acts() {
    const said = chosen.reason.endsWith(SAID);
    const able = [];
    if (chosen.status !== "unreadable") able.push({ words: "Move to…", key: "M", run: () => void move() });
    if (["low_quality", "masked", "not_a_face"].includes(chosen.status) && !said) able.push({ words: "This is a face", key: "F", run: () => void say("face") });
    if (said) able.push({ words: "Restore", key: "R", run: () => void say("restore") });
    if (["alone", "low_quality", "masked"].includes(chosen.status)) able.push({ words: "Not a face", key: "X", run: () => void say("not_a_face") });
    if (chosen.status === "unreadable") able.push({ words: "Try again", key: "T", run: () => void retry() });
    return able;
  }

  function offer(/** @type {number[]} */ chosenRows) {
    const able = [...acts(), { words: "Clear", key: "Esc", run: () => void selection.clear() }];
    showDock(`${counted(chosenRows.length, "entry", "entries")} selected`, chosenRows.length ? able : []);
  }

  /** What is selected, or else what has the focus: faces by row, files below zero. */
  function picked() {
    if (selection.ids.size) return selection.list();
    const row = faceList.current();
    if (!row) toast("Select something first: click it, or move with the arrows and press Space.");
    return row ? [idOf(row)] : [];
  }

  function faces() {
    const ids = picked();
    const found = ids.filter((id) => id > 0);
    if (ids.length && !found.length) toast("No face was found in these files, so there is nothing to place.");
    return found;
  }

  async function say(/** @type {string} */ kind) {
    const about = faces();
    if (about.length && (await decide({ kind, faces: about }, { seen: list.revision }))) rest();
  }

  function rest() {
    selection.clear();
    grid.focus(grid.focused);
  }

  async function move() {
    const about = faces();
    if (!about.length) return;
    const title = `${counted(about.length, "face")}: who is this?`;
    if (await moveFaces({ title, faces: about, seen: list.revision })) rest();
  }

  async function retry() {
    const files = picked().filter((id) => id < 0);
    let good = 0;
    for (const id of files) {
      try {
        const { status } = await post(`/files/${-id}/retry`, {});
        if (status !== "unreadable") good += 1;
      } catch (error) {
        return tell(error);
      }
    }
    if (!files.length) return undefined;
    toast(`${number(good)} of ${counted(files.length, "file")} can be read now.${good ? " Their faces are grouped at the next run." : ""}`);
    selection.clear();
    await reload();
    return refreshFacts().catch(() => {});
  }

  function open(/** @type {number} */ index) {
    view = openFace({
      index,
      total: () => list.total ?? grid.total,
      faceAt: faceList.faceAt,
      onClose: (at) => {
        view = null;
        if (grid.root.isConnected) grid.focus(at);
      },
    });
  }

  /** Only what the chosen reason allows. @type {[string, string][]} */
  const keys = [["M", "Move to a person"], ["F", "This is a face"], ["R", "Restore"], ["X", "Not a face"], ["T", "Try again"]];
  const press = (/** @type {string} */ key) => acts().find((act) => act.key === key)?.run();
  const unbind = bind({
    title: "Left out",
    bindings: [
      ...faceList.bindings("See the picture", ["Space"]),
      ...keys.map(([key, words]) => ({ keys: [key.toLowerCase()], words, run: () => press(key) })),
    ],
  });
  const unheard = on("changed", () => void reload());
  faceList.start();
  reload();
  return {
    snapshot: () => ({ ...faceList.snapshot(), picture: view?.at() }),
    placeOf: faceList.placeOf,
    reopen: ({ picture }) => picture !== undefined && !view && open(picture),
    unmount: () => {
      view?.close();
      unbind();
      unheard();
      faceList.stop();
    },
  };
}

const sentence = (/** @type {string} */ reason) => (reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : "");
