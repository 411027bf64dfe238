import { h, isTouch } from "./dom.js";
import { PagedList } from "./paged-list.js";
import { cellsIn, VirtualGrid } from "./virtual-grid.js";

/** What is picked, by id, so that it lasts when the order changes. */
class Selection {
  constructor(/** @type {() => void} */ onChange) {
    this.ids = /** @type {Set<number>} */ (new Set());
    this.anchor = /** @type {number|null} */ (null); // where a range starts, as a place in the list
    this.onChange = onChange;
  }

  has = (/** @type {number} */ id) => this.ids.has(id);
  list = () => [...this.ids];
  clear = () => this.ids.size && this.replace([]);

  replace(/** @type {Iterable<number>} */ ids) {
    this.ids = new Set(ids);
    if (!this.ids.size) this.anchor = null;
    this.onChange();
  }
}

/**
 * A grid of rows of the server that are fetched as it scrolls, and picked with mouse, finger and keys. Whoever has the
 * focus keeps it when the order changes: keys are about what was under them.
 * @param {{label: string, shapes: import("./virtual-grid.js").Shape[], size?: number, guess: number, restore: any,
 *   onPick: (picked: number[]) => void, cell: {create: () => HTMLElement, clear: (cell: HTMLElement) => void,
 *   fill: (cell: HTMLElement, row: any, how: {tier: number, selected: boolean}) => void},
 *   load: (offset: number, limit: number, signal: AbortSignal) => Promise<any>, idOf: (row: any) => number,
 *   open: (index: number) => void, onError: (error: any) => void, onChange?: () => void, clickOpens?: boolean, band?: boolean}} options
 * shapes: of a cell, in a wide window and in a narrow one; guess: rows to show before their number is known; load: a page
 * of rows, with total and revision; clickOpens: a plain click opens rather than picks
 */
export function listGrid({ label, shapes, size, guess, restore, onPick, cell, load, idOf, open, onError, onChange, clickOpens = false, band = true }) {
  /** @type {number|null} what has the focus */ let held = restore.held ?? null;
  let came = !restore.focus; // whether who comes back has the focus again
  const selection = new Selection(() => {
    grid.refill();
    grid.root.classList.toggle("picking", selection.ids.size > 0);
    onPick(selection.list());
  });

  const list = new PagedList({
    size,
    load,
    onChange: (first, last) => {
      grid.resize(list.total ?? 0);
      follow();
      grid.refill(first, last);
      onChange?.();
    },
    onError,
  });
  const grid = new VirtualGrid({
    label,
    selectable: true,
    shape: shapes[innerWidth < 560 ? 1 : 0],
    guess: restore.total ?? guess,
    create: cell.create,
    clear: cell.clear,
    fill: (element, index, tier) => {
      const row = /** @type {any} */ (list.get(index));
      cell.fill(element, row, { tier, selected: Boolean(row && selection.has(idOf(row))) });
    },
    onRange: (first, last) => list.want(first, last),
    onMove: (index, event, from) => (event.shiftKey ? extend(index, from) : rest(index)),
    onFocus: (index) => {
      const row = list.get(index);
      held = row === undefined ? null : idOf(row);
    },
  });

  function follow() {
    const row = list.get(grid.focused);
    if (row !== undefined && held !== null && idOf(row) !== held) {
      const at = list.find((one) => idOf(one) === held);
      if (at !== null) grid.point(at);
      else if (!list.coming.size) held = idOf(row);
    } else if (row !== undefined) held = idOf(row);
    if (came || row === undefined) return;
    came = true;
    if (document.activeElement === document.body) grid.point(grid.focused, { focus: true });
  }

  /** What has the focus, if that is in the grid. @returns {any} */
  function current() {
    if (grid.indexAt(document.activeElement) === null) return undefined;
    const row = list.get(grid.focused);
    return row !== undefined && (held === null || idOf(row) === held) ? row : undefined;
  }

  /** @type {Set<number>} what was picked before the range now being pulled */ let base = new Set();
  let wave = 0;

  const idsOf = (/** @type {T[]} */ rows) => rows.map(idOf).filter((id) => id !== null);

  const toggle = (/** @type {number} */ index) => {
    const row = list.get(index);
    const id = row === undefined ? null : idOf(row);
    if (id === null) return;
    selection.anchor = index;
    const others = selection.list().filter((one) => one !== id);
    selection.replace(selection.has(id) ? others : [...others, id]);
    base = new Set(selection.ids);
  };

  const stretch = async (/** @type {[number, number][]} */ stretches) => {
    wave += 1;
    const mine = wave;
    const ids = new Set(base);
    for (const [first, last] of stretches) {
      for (const id of idsOf(await list.range(first, last))) ids.add(id);
      if (mine !== wave) return;
    }
    selection.replace(ids);
  };

  const extend = (/** @type {number} */ index, /** @type {number} */ from) => {
    if (selection.anchor === null) {
      selection.anchor = from;
      base = new Set(selection.ids);
    }
    const anchor = selection.anchor;
    stretch([[Math.min(anchor, index), Math.max(anchor, index)]]);
  };

  const all = async () => {
    base = new Set();
    if (list.total) await stretch([[0, list.total - 1]]);
  };

  const plain = (/** @type {number} */ index) => {
    if (clickOpens || (isTouch() && !selection.ids.size)) return open(index);
    const row = list.get(index);
    const id = row === undefined ? null : idOf(row);
    if (id === null) return undefined;
    if (isTouch()) return toggle(index);
    base = new Set();
    selection.anchor = index;
    return selection.replace([id]);
  };

  const click = (/** @type {MouseEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const index = grid.indexAt(target);
    if (index === null) {
      if (target === grid.root || target === grid.ground) selection.clear();
      return;
    }
    if (event.shiftKey) extend(index, grid.focused);
    else if (target.closest(".pick") || event.ctrlKey || event.metaKey) toggle(index);
    else if (target.closest("button, input, a")) return;
    else plain(index);
    if (document.activeElement === document.body || !grid.root.contains(document.activeElement)) grid.focus(index);
  };
  const double = (/** @type {MouseEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const index = grid.indexAt(target);
    if (index !== null && !target.closest("button, input, a")) open(index);
  };

  /** A move without Shift: the next range starts here. @param {number} index */
  const rest = (index) => {
    selection.anchor = index;
    base = new Set(selection.ids);
  };

  grid.root.addEventListener("click", click);
  if (!clickOpens) grid.root.addEventListener("dblclick", double);
  const unband = band
    ? rubberBand(grid, {
        onStart: (event) => {
          const adds = event.shiftKey || event.ctrlKey || event.metaKey;
          base = adds ? new Set(selection.ids) : new Set();
        },
        onBox: (stretches) => stretch(stretches),
        onEnd: () => {
          base = new Set(selection.ids);
        },
      })
    : () => {};

  return {
    list,
    grid,
    selection,
    current,
    /** The face at a place, for the view of its picture. @param {number} at */
    faceAt: async (at) => /** @type {any} */ ((await list.range(at, at))[0])?.face ?? null,
    /** Keys that every such grid has. @param {string} enter what Enter does @param {string[]} select the keys that do */
    bindings: (enter, select) => [
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], words: band ? "Move (with Shift: select)" : "Move", run: () => grid.focus(grid.focused) },
      { keys: ["Enter"], words: enter, run: () => open(grid.focused) },
      { keys: select, words: "Select", run: () => toggle(grid.focused) },
      { keys: ["Mod+a"], words: "Select all", run: () => void all() },
      { keys: ["Escape"], words: "Select nothing", run: () => void selection.clear() },
    ],
    /** Once it is in the document. */
    start: () => {
      grid.focused = restore.focused ?? 0;
      grid.start();
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
    snapshot: () => ({ ...grid.snapshot(), held, focus: grid.indexAt(document.activeElement) !== null }),
    placeOf: (/** @type {any} */ at) => grid.placeOf(at),
    stop: () => {
      unband();
      list.stop();
      grid.stop();
    },
  };
}

const SLACK = 6; // pixels before a press is a drag
const EDGE = 48; // pixels from the edge of the window where it scrolls
const SPEED = 18; // pixels a frame at most

/**
 * Picks cells by pulling a rectangle over them with a mouse.
 * @param {import("./virtual-grid.js").VirtualGrid} grid
 * @param {{onStart: (event: PointerEvent) => void, onBox: (stretches: [number, number][]) => void, onEnd: () => void}} handlers
 * @returns {() => void} takes it off again
 */
function rubberBand(grid, { onStart, onBox, onEnd }) {
  /** @type {{x: number, y: number, event: PointerEvent}|null} where it began, in the grid */ let from = null;
  /** @type {HTMLElement|null} */ let band = null;
  let pointer = { x: 0, y: 0 };
  let frame = 0;

  const inGrid = (/** @type {number} */ x, /** @type {number} */ y) => {
    const box = grid.root.getBoundingClientRect();
    return { x: x - box.left, y: y - box.top };
  };

  const draw = () => {
    if (!from || !band) return;
    const to = inGrid(pointer.x, pointer.y);
    const box = { left: Math.min(from.x, to.x), top: Math.min(from.y, to.y), right: Math.max(from.x, to.x), bottom: Math.max(from.y, to.y) };
    band.style.transform = `translate(${box.left}px, ${box.top}px)`;
    band.style.width = `${box.right - box.left}px`;
    band.style.height = `${box.bottom - box.top}px`;
    onBox(cellsIn(box, grid.total, grid.layout));
  };

  const pull = () => {
    const over = pointer.y - (innerHeight - EDGE);
    const under = EDGE + 60 - pointer.y;
    const step = over > 0 ? Math.min(over, SPEED) : under > 0 ? -Math.min(under, SPEED) : 0;
    if (step) {
      window.scrollBy(0, step);
      draw();
    }
    frame = requestAnimationFrame(pull);
  };

  const begin = () => {
    if (!from) return;
    band = h("div", { class: "band", "aria-hidden": "true" });
    grid.root.append(/** @type {HTMLElement} */ (band));
    document.body.classList.add("dragging");
    onStart(from.event);
    frame = requestAnimationFrame(pull);
  };

  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0 || event.pointerType !== "mouse") return;
    if (event.target instanceof Element && event.target.closest("button, input, a")) return;
    from = { ...inGrid(event.clientX, event.clientY), event };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!from) return;
    pointer = { x: event.clientX, y: event.clientY };
    const here = inGrid(pointer.x, pointer.y);
    if (!band && Math.hypot(here.x - from.x, here.y - from.y) > SLACK) begin();
    draw();
  };
  const up = () => {
    cancelAnimationFrame(frame);
    if (band) {
      band.remove();
      document.body.classList.remove("dragging");
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
      onEnd();
    }
    from = null;
    band = null;
  };

  grid.root.addEventListener("pointerdown", down);
  addEventListener("pointermove", move);
  addEventListener("pointerup", up);
  addEventListener("pointercancel", up);
  return () => {
    up();
    grid.root.removeEventListener("pointerdown", down);
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    removeEventListener("pointercancel", up);
  };
}

/** The click that ends a drag is none. @param {Event} event */
function swallow(event) {
  event.stopPropagation();
  event.preventDefault();
}
