import { isTouch } from "./dom.js";
import { PagedList } from "./paged-list.js";
import { rubberBand } from "./rubber-band.js";
import { VirtualGrid } from "./virtual-grid.js";

/**
 * A grid of rows of the server that are fetched as it scrolls, and picked with mouse, finger and keys. Whoever has the
 * focus keeps it when the order changes: keys are about what was under them.
 * @param {{label: string, shapes: import("./geometry.js").Shape[], size?: number, guess: number, restore: any,
 *   selection: import("./selection.js").Selection, cell: {create: () => HTMLElement, clear: (cell: HTMLElement) => void,
 *   fill: (cell: HTMLElement, row: any, how: {tier: number, selected: boolean}) => void},
 *   load: (offset: number, limit: number, signal: AbortSignal) => Promise<any>, idOf: (row: any) => number,
 *   open: (index: number) => void, onError: (error: any) => void, onChange?: () => void, clickOpens?: boolean, band?: boolean}} options
 * shapes: of a cell, in a wide window and in a narrow one; guess: rows to show before their number is known; load: a page
 * of rows, with total and revision; clickOpens: a plain click opens rather than picks
 */
export function listGrid({ label, shapes, size, guess, restore, selection, cell, load, idOf, open, onError, onChange, clickOpens = false, band = true }) {
  /** @type {number|null} what has the focus */
  let held = restore.held ?? null;
  let came = !restore.focus; // whether who comes back has the focus again

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

  /** @type {Set<number>} what was picked before the range now being pulled */
  let base = new Set();
  let wave = 0;

  const idsOf = (/** @type {T[]} */ rows) => rows.map(idOf).filter((id) => id !== null);

  const toggle = (/** @type {number} */ index) => {
    const row = list.get(index);
    const id = row === undefined ? null : idOf(row);
    if (id === null) return;
    selection.toggle(id, index);
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
    if (clickOpens || (isTouch() && !selection.size)) return open(index);
    const row = list.get(index);
    const id = row === undefined ? null : idOf(row);
    if (id === null) return undefined;
    if (isTouch()) return toggle(index);
    base = new Set();
    return selection.only(id, index);
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
    current,
    all,
    toggle: () => toggle(grid.focused),
    /** The face at a place, for the view of its picture. @param {number} at */
    faceAt: async (at) => /** @type {any} */ ((await list.range(at, at))[0])?.face ?? null,
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
