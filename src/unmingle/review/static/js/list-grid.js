import { get, getPart, onDecision } from "./api.js";
import { blank, choice } from "./cells.js";
import { decide } from "./decisions.js";
import { errorState, showDock, toast } from "./dialogs.js";
import { announce, counted, h, isTouch, typing } from "./dom.js";
import { openFace } from "./face-view.js";
import { VirtualGrid } from "./grid.js";
import { bind } from "./keyboard.js";
import { PagedList } from "./lists.js";
import { giveFaces } from "./names.js";
import { go } from "./router.js";

// Whoever has the focus keeps it when the order changes: keys are about what was under them.
/** A grid of rows of the server that are fetched as it scrolls, and picked with mouse, finger and keys. @param {Visit} visit @param {ListGridOptions} options */
export function listGrid({ restore, signal }, { label, cells, path, query, size, guess = 40, whose, acts, keys = [], noun, open, empty, onChange, renew, gone }) {
  const wall = open !== undefined;
  /** @type {number|null} what has the focus */ let held = restore.held ?? null;
  let came = !restore.focus; // whether who comes back has the focus again
  /** @type {Set<number>} what is picked, by id, so that it lasts when the order changes */ let picked = new Set();
  /** @type {number|null} where a range starts, as a place in the list */ let anchor = null;
  let wave = 0;
  /** Until what is being picked is here: a key pressed meanwhile is about all of it. @type {Promise<void>} */ let picking = Promise.resolve();
  /** What a decision is about that was not answered yet: the same key twice is meant for two of them. @type {Set<number>} */ const deciding = new Set();
  /** @type {FaceView|null} the picture of a face that is open */ let view = null;
  /** What is said instead of rows. */ const message = h("div", { class: "message" });
  const list = new PagedList({
    load: (offset, limit, stop) => getPart(path, { ...query?.(), offset, limit }, stop),
    size,
    onChange: () => {
      grid.resize(list.total ?? 0);
      follow();
      grid.refill();
      message.replaceChildren(...[empty?.() || []].flat());
      onChange?.();
    },
    onError: (error) => {
      if (gone && error.status === 404) return gone(error);
      if (error.status !== 404 && list.total !== null) return;
      grid.resize(0);
      message.replaceChildren(errorState(error, again));
    },
  });
  /** Asks for everything again. */
  const again = () => (renew ?? (() => list.refresh()))();
  const grid = new VirtualGrid({
    label,
    shapes: cells.shapes,
    guess: restore.total ?? guess,
    create: cells.create,
    fill: (element, index, tier) => {
      const selected = picked.has(idAt(index) ?? NaN);
      element.setAttribute("aria-selected", String(selected));
      const row = list.get(index);
      if (row === undefined) return blank(element);
      element.classList.remove("pending");
      const words = cells.fill(element, row, { tier, selected });
      return element.querySelector(".pick")?.setAttribute("aria-label", `${selected ? "Unselect" : "Select"} ${words}`);
    },
    onRange: (first, last) => list.want(first, last),
    onMove: (index, event, from) => {
      if (event.shiftKey) return extend(index, from);
      anchor = index; // the next range starts here
    },
    onFocus: (index) => (held = idAt(index)),
  });

  function idAt(/** @type {number} */ index) {
    const row = list.get(index);
    return row === undefined ? null : cells.idOf(row);
  }

  const openAt = open ?? ((/** @type {number} */ index) => look({
    index,
    total: () => list.total ?? grid.total,
    faceAt: async (at) => (await list.range(at, at))[0]?.face ?? null,
    ready: list.total === null ? list.settled() : undefined,
    onClose: (at) => grid.root.isConnected && grid.focus(at),
  }));

  /** Shows the pictures of faces, one after another. @type {Look} */
  function look(faces) {
    const offered = whose === undefined ? [] : acts.map((act) => ({ ...act, run: (/** @type {number} */ face) => perform(act.key, [face]) }));
    view = openFace({ ...faces, acts: offered, onClose: (at) => {
      view = null;
      faces.onClose?.(at);
    } });
  }

  function follow() {
    const id = idAt(grid.focused);
    if (id === null) return;
    const at = held === null || id === held ? grid.focused : list.find((row) => cells.idOf(row) === held);
    if (at === null) held = list.coming.size ? held : id;
    else if (at === grid.focused) held = id;
    else grid.point(at);
    if (came) return;
    came = true;
    if (document.activeElement === document.body) grid.point(grid.focused, { focus: true });
  }

  /** What an action is about, by id: what is picked, or else what has the focus. */
  async function chosen() {
    const there = grid.hasFocus() ? idAt(grid.focused) : null; // before the focus goes on
    await picking;
    const id = picked.size ? null : there;
    return id !== null && (held === null || id === held) ? [id] : [...picked];
  }

  const able = (/** @type {number} */ count) => acts.filter((act) => act.able?.(count) !== false);

  /** Does what a key means; once it is done, the next row has the focus. @param {string} key @param {number[]|Promise<number[]>} [about] ids */
  async function perform(key, about = chosen()) {
    const ids = await about;
    if (!ids.length) return toast(wall ? "Select somebody first: with X, or move to them with the arrows." : "Select something first: click it, or move with the arrows and press Space.");
    const act = able(ids.length).find((one) => one.key === key);
    if (!act) return announce("That can’t be done with what is selected.");
    const fit = ids.filter((id) => act.files ? id < 0 : id > 0);
    if (!fit.length) return toast("No face was found in these files, so there is nothing to place.");
    const meant = fit.filter((id) => !deciding.has(id));
    for (const id of meant) deciding.add(id);
    const { run = (faces) => decide({ kind: String(act.kind), faces, person: act.person }, list.revision) } = act;
    if (meant.length && (await run(meant))) {
      clear();
      if (!view && !typing(document.activeElement)) grid.focus(grid.focused);
      await list.settled();
    }
    for (const id of meant) deciding.delete(id);
    return undefined;
  }

  function pick(/** @type {Iterable<number>} */ ids) {
    picked = new Set(ids);
    if (!picked.size) anchor = null;
    grid.refill();
    grid.root.classList.toggle("picking", picked.size > 0);
    const one = !wall && picked.size === 1 && [...picked][0] > 0 ? [{ words: "Like this", key: "L", run: like }] : [];
    const offered = able(picked.size).map((act) => ({ ...act, run: () => perform(act.key) }));
    showDock(`${counted(picked.size, noun[0], noun[1])} selected`, picked.size ? [...offered, ...one, { words: "Clear", key: "Esc", run: clear }] : []);
  }

  /** Leads to the faces that are like the one that has the focus, or else is picked. */
  function like() {
    const [face] = grid.hasFocus() ? [idAt(grid.focused) ?? 0] : picked;
    if (face > 0) go(`/faces/${face}`);
  }

  const clear = () => void (picked.size && pick([]));

  function toggle(/** @type {number} */ index) {
    const id = idAt(index);
    if (id === null) return;
    anchor = index;
    pick(picked.has(id) ? [...picked].filter((one) => one !== id) : [...picked, id]);
  }

  /** Picks stretches of rows. @param {[number, number][]} stretches @param {Iterable<number>} [before] what was picked, too @param {Promise<unknown>} [ready] once they are those that are meant @returns {Promise<void>} */
  const stretch = (stretches, before, ready) => picking = (async () => {
    wave += 1;
    const mine = wave;
    const ids = new Set(before);
    await ready;
    for (const [first, last] of stretches) {
      for (const row of await list.range(first, last)) ids.add(cells.idOf(row));
      if (mine !== wave || signal.aborted) return;
    }
    pick(ids);
  })();

  function extend(/** @type {number} */ index, /** @type {number} */ from) {
    anchor ??= from;
    void stretch([[Math.min(anchor, index), Math.max(anchor, index)]]);
  }

  /** Picks so many from the beginning. @param {number} count @param {Promise<unknown>} [ready] */
  const first = (count, ready) => stretch(count ? [[0, count - 1]] : [], [], ready);

  function plain(/** @type {number} */ index) {
    if (isTouch() ? !picked.size : wall) return openAt(index);
    const id = idAt(index);
    if (id === null) return undefined;
    if (isTouch()) return toggle(index);
    anchor = index;
    return pick([id]);
  }

  grid.root.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const index = grid.indexAt(target);
    if (index === null) return target === grid.root || target === grid.ground ? clear() : undefined;
    if (event.shiftKey) extend(index, grid.focused);
    else if (target.closest(".pick") || event.ctrlKey || event.metaKey) toggle(index);
    else if (target.closest("button, input, a")) return undefined;
    else if (event.detail === 2 && !wall) return openAt(index);
    else plain(index);
    if (!grid.root.contains(document.activeElement)) grid.focus(index);
  });
  dragging(grid.root, signal, {
    take: (target) => {
      const id = idAt(grid.indexAt(target) ?? -1);
      const taken = id === null ? [] : picked.has(id) ? [...picked] : wall ? [id] : [];
      return taken.filter((one) => one > 0);
    },
    offer: async (ids) => (wall ? [] : (await get("/alike", { person: whose, faces: ids.slice(0, 100), limit: 8 })).people),
    drop: async (ids, person) => {
      const done = wall ? decide({ kind: "merge", person, others: ids }, list.revision) : giveFaces(ids, person ? { person } : {}, list.revision);
      if (await done) pick([]);
    },
  });
  if (!wall) rubberBand(grid, signal, (event) => {
    const before = event.shiftKey || event.ctrlKey || event.metaKey ? picked : [];
    return (box) => void stretch(grid.cellsIn(box), before);
  });

  const taken = acts.map(({ key }) => key.toLowerCase());
  bind(label, [
    { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: wall ? "Move" : "Move (with Shift: select)", run: () => grid.focus(grid.focused) },
    { keys: ["Enter"], words: wall ? "Open the person" : "See the picture", run: () => openAt(grid.focused) },
    { keys: ["x", "Space"].filter((key) => !taken.includes(key)), words: "Select", run: () => toggle(grid.focused) },
    ...(wall ? [] : [{ keys: ["l"], words: "Faces like this", run: () => like() }]),
    { keys: ["Mod+a"], words: "Select all", run: () => void first(list.total ?? 0) },
    { keys: ["Escape"], words: "Select nothing", run: clear },
    ...acts.map(({ words, key }) => ({ keys: [key.toLowerCase()], words, run: () => void perform(key) })),
    ...keys,
  ], signal);
  onDecision(async () => {
    await again();
    view?.again();
  }, signal);
  signal.addEventListener("abort", () => {
    view?.close();
    list.stop();
  });
  return {
    list,
    grid,
    message,
    clear,
    first,
    look,
    /** Once it is in the document. */
    start: () => {
      grid.focused = restore.focused ?? 0;
      grid.start(signal);
    },
    /** From the top, with what is asked for now. */
    restart: () => {
      scrollTo(0, 0);
      grid.focused = 0;
      held = null;
      const done = list.restart();
      grid.refill();
      return done;
    },
    snapshot: () => ({ ...grid.snapshot(), held, focus: grid.hasFocus(), picture: view?.at() }),
    placeOf: (/** @type {any} */ at) => grid.placeOf(at),
    reopen: (/** @type {any} */ { picture }) => picture !== undefined && !view && openAt(picture),
  };
}

/** Lets cells be dragged onto people: those on the page, and those that are offered meanwhile. @param {HTMLElement} root @param {AbortSignal} signal ends it @param {DragHandlers} handlers */
function dragging(root, signal, { take, offer, drop }) {
  root.addEventListener("dragstart", (event) => {
    const ids = document.querySelector(".band") ? [] : take(event.target); // a rectangle that reached what it began on
    if (!ids.length || !event.dataTransfer) return event.preventDefault();
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("application/x-unmingle", ids.join()); // without any, some browsers drag nothing
    const over = new AbortController();
    const tray = h("div", { class: "drop-tray", "aria-hidden": "true" });
    /** @type {HTMLElement|null} */ let onto = null;
    const place = (/** @type {EventTarget|null} */ target) => {
      const found = target instanceof Element ? /** @type {HTMLElement|null} */ (target.closest(".card[data-person], .naming-choice[data-person]")) : null;
      return found && !(root.contains(found) && ids.includes(Number(found.dataset.person))) ? found : null;
    };
    const follow = (/** @type {DragEvent} */ moved) => {
      onto?.classList.remove("drop-here");
      onto = place(moved.target);
      onto?.classList.add("drop-here");
      if (onto) moved.preventDefault();
      if (onto && moved.type === "drop") void drop(ids, Number(onto.dataset.person));
      if (moved.type === "drop" || moved.type === "dragend") end();
    };
    const end = () => {
      onto?.classList.remove("drop-here");
      tray.remove();
      over.abort();
    };
    for (const kind of /** @type {const} */ (["dragover", "drop", "dragend"])) addEventListener(kind, follow, { signal: over.signal });
    signal.addEventListener("abort", end, { once: true, signal: over.signal });
    offer(ids).then((people) => {
      if (over.signal.aborted || !people.length) return;
      const fresh = h("div", { class: "naming-choice", "data-person": 0 }, h("span", { text: "New person" }));
      tray.append(h("span", { text: "Drop on:" }), ...people.map((one) => choice("div", {}, one)), fresh);
      document.body.append(tray);
    }, () => {});
    return undefined;
  });
}

const SLACK = 6; // pixels before a press is a drag
const EDGE = 48; // pixels from the edge of the window where it scrolls
const SPEED = 18; // pixels a frame at most

/** Picks cells by pulling a rectangle over them with a mouse. @param {VirtualGrid} grid @param {AbortSignal} signal ends it @param {TakeBand} take */
function rubberBand(grid, signal, take) {
  const inGrid = (/** @type {PointerEvent} */ { clientX, clientY }) => {
    const box = grid.root.getBoundingClientRect();
    return { x: clientX - box.left, y: clientY - box.top };
  };

  grid.root.addEventListener("pointerdown", (pressed) => {
    if (pressed.button !== 0 || pressed.pointerType !== "mouse") return;
    if (pressed.target instanceof Element && pressed.target.closest("button, input, a, [draggable=true]")) return;
    const from = inGrid(pressed);
    const band = h("div", { class: "band", "aria-hidden": "true" });
    const over = new AbortController();
    const until = { signal: AbortSignal.any([signal, over.signal]) };
    /** @type {ReturnType<TakeBand>} */ let pick = () => {};
    let pointer = pressed;

    function draw() {
      const to = inGrid(pointer);
      const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
      const [width, height] = [Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
      Object.assign(band.style, { translate: `${left}px ${top}px`, width: `${width}px`, height: `${height}px` });
      pick({ left, top, right: left + width, bottom: top + height });
    }

    function pull() {
      if (!band.isConnected) return;
      const past = Math.max(0, pointer.clientY - (innerHeight - EDGE)) - Math.max(0, EDGE + 60 - pointer.clientY);
      scrollBy(0, Math.max(-SPEED, Math.min(SPEED, past)));
      if (past) draw();
      requestAnimationFrame(pull);
    }

    const move = (/** @type {PointerEvent} */ moved) => {
      pointer = moved;
      const here = inGrid(moved);
      if (!band.isConnected) {
        if (Math.hypot(here.x - from.x, here.y - from.y) <= SLACK) return;
        grid.root.append(band);
        pick = take(pressed);
        requestAnimationFrame(pull);
      }
      draw();
    };
    const up = () => {
      over.abort();
      if (!band.isConnected) return;
      band.remove();
      // The click that ends a drag is none.
      addEventListener("click", (event) => event.stopPropagation(), { capture: true, signal: AbortSignal.timeout(0) });
    };
    addEventListener("pointermove", move, until);
    for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) addEventListener(kind, up, until);
  });
}
