import { decide } from "../actions.js";
import { get, post } from "../api.js";
import { showDock } from "../dock.js";
import { announce, h } from "../dom.js";
import { faceGrid } from "../face-grid.js";
import { openFace } from "../face-view.js";
import { counted, number, statusWords } from "../format.js";
import { bind } from "../keyboard.js";
import { askPerson } from "../move-dialog.js";
import { setQuery, setTitle } from "../router.js";
import { Selection } from "../selection.js";
import { on, refreshFacts } from "../session.js";
import { emptyState, errorState } from "../states.js";
import { toast } from "../toasts.js";

const SAID = "a person said so"; // how the reason of a decision ends

/** Every face and file without a person, and why. @type {import("../router.js").Mount} */
export function mount(root, { query, restore }) {
  setTitle("Left out");
  /** @type {any[]} */
  let groups = [];
  let chosen = { status: query.get("status") ?? "", reason: query.get("reason") ?? "" };
  const selection = new Selection(() => redraw());
  const chips = h("div", { class: "reasons", role: "group", "aria-label": "Reason" });
  const about = h("p", { class: "reason-about" });
  const message = h("div", { class: "message" });

  /** A file without a face has an id too, below zero, so that it can be selected. @param {any} row */
  const idOf = (row) => (row.face === null ? -row.file_id : row.face);

  const { list, grid, picker, snapshot, stop } = faceGrid({
    label: "Left out",
    guess: restore.total ?? 0,
    selection,
    load: (offset, limit, signal) => get("/left-out/faces", { ...chosen, offset, limit }, signal),
    idOf,
    open,
    onError: (error) => {
      if (list.total === null) message.replaceChildren(errorState(error, reload));
    },
  });
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

  /** @param {any} group */
  const isChosen = (group) => group.status === chosen.status && group.reason === chosen.reason;

  function draw() {
    chips.replaceChildren(...groups.map((group) => chip(group)));
    const group = groups.find(isChosen);
    about.textContent = group ? sentence(group.reason) : "";
    if (!groups.length) {
      grid.resize(0);
      message.replaceChildren(emptyState("Nothing was left out", "Every file has a face, and every face a person."));
    }
  }

  /** @param {any} group */
  function chip(group) {
    const element = h("button", { type: "button", class: "chip", "aria-pressed": String(isChosen(group)), title: group.reason }, wordsOf(group), " ", h("span", { class: "count", text: number(group.faces) }));
    element.addEventListener("click", () => choose(group));
    return element;
  }

  /** The status, and the reason too where it alone would not tell. @param {any} group */
  function wordsOf(group) {
    const alone = groups.filter(({ status }) => status === group.status).length === 1;
    return alone ? statusWords(group.status) : `${statusWords(group.status)}: ${group.reason}`;
  }

  /** @param {any} group */
  function choose(group) {
    chosen = { status: group.status, reason: group.reason };
    setQuery(chosen);
    selection.clear();
    draw();
    list.pages.clear();
    list.total = null;
    list.first = 0;
    list.last = 0;
    grid.focused = 0;
    scrollTo(0, 0);
    grid.refill();
    list.refresh().then(() => announce(`${statusWords(group.status)}: ${counted(group.faces, "entry", "entries")}`));
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

  function redraw() {
    grid.refill();
    grid.root.classList.toggle("picking", selection.size > 0);
    const able = [...acts(), { words: "Clear", key: "Esc", run: () => selection.clear() }];
    showDock(`${counted(selection.size, "entry", "entries")} selected`, selection.size ? able : []);
  }

  /** What is selected, or else what has the focus: faces by row, files below zero. */
  function picked() {
    if (selection.size) return selection.list();
    const row = grid.indexAt(document.activeElement) === null ? undefined : /** @type {any} */ (list.get(grid.focused));
    if (!row) toast("Select something first: click it, or move with the arrows and press Space.");
    return row ? [idOf(row)] : [];
  }

  function faces() {
    const ids = picked();
    const found = ids.filter((id) => id > 0);
    if (ids.length && !found.length) toast("No face was found in these files, so there is nothing to place.");
    return found;
  }

  /** @param {string} kind */
  async function say(kind) {
    const about = faces();
    if (!about.length || !(await decide({ kind, faces: about }, { seen: list.revision }))) return;
    selection.clear();
    grid.focus(grid.focused);
  }

  async function move() {
    const about = faces();
    if (!about.length) return;
    const where = await askPerson({ title: `${counted(about.length, "face")}: who is this?`, allowNew: true });
    if (!where) return;
    const body = "person" in where ? { kind: "assign", faces: about, person: where.person } : { kind: "split", faces: about };
    const made = await decide(body, { seen: list.revision });
    if (!made) return;
    selection.clear();
    grid.focus(grid.focused);
    if ("name" in where && where.name) await decide({ kind: "name", person: made.decision.person, name: where.name }, { seen: made.revision });
  }

  async function retry() {
    const files = picked().filter((id) => id < 0);
    let good = 0;
    for (const id of files) {
      try {
        const { status } = await post(`/files/${-id}/retry`, {});
        if (status !== "unreadable") good += 1;
      } catch (error) {
        const { problem, mend, message } = /** @type {any} */ (error);
        return toast([problem ?? message, mend].filter(Boolean).join(" "), undefined, { stays: true });
      }
    }
    if (!files.length) return undefined;
    toast(`${number(good)} of ${counted(files.length, "file")} can be read now.${good ? " Their faces are grouped at the next run." : ""}`);
    selection.clear();
    await reload();
    return refreshFacts().catch(() => {});
  }

  /** @param {number} index */
  function open(index) {
    openFace({
      index,
      total: () => list.total ?? 0,
      faceAt: async (at) => /** @type {any} */ ((await list.range(at, at))[0])?.face ?? null,
      onClose: (at) => {
        if (grid.root.isConnected) grid.focus(at);
      },
    });
  }

  /** Only what the chosen reason allows. @param {string} key */
  const press = (key) => acts().find((act) => act.key === key)?.run();

  const unbind = bind({
    title: "Left out",
    bindings: [
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: "Move (with Shift: select)", run: () => grid.focus(grid.focused) },
      { keys: ["Enter"], words: "See the picture", run: () => open(grid.focused) },
      { keys: ["Space"], words: "Select", run: () => picker.toggle(grid.focused) },
      { keys: ["Mod+a"], words: "Select all", run: () => void picker.all() },
      { keys: ["m"], words: "Move to a person", run: () => press("M") },
      { keys: ["f"], words: "This is a face", run: () => press("F") },
      { keys: ["r"], words: "Restore", run: () => press("R") },
      { keys: ["x"], words: "Not a face", run: () => press("X") },
      { keys: ["t"], words: "Try again", run: () => press("T") },
      { keys: ["Escape"], words: "Select nothing", run: () => selection.clear() },
    ],
  });
  const unheard = on("changed", () => void reload());
  grid.start();
  if (restore.focused) grid.focused = restore.focused;
  reload();
  return {
    snapshot,
    unmount: () => {
      unbind();
      unheard();
      stop();
    },
  };
}

/** @param {string} reason */
const sentence = (reason) => (reason ? `${reason[0].toUpperCase()}${reason.slice(1)}.` : "");
