import { isTouch } from "./dom.js";
import { rubberBand } from "./rubber-band.js";

/**
 * Picks cells of a grid with mouse, finger and keys.
 * @template T
 * @param {{grid: import("./virtual-grid.js").VirtualGrid, list: import("./paged-list.js").PagedList<T>,
 *   selection: import("./selection.js").Selection, idOf: (row: T) => number|null,
 *   open: (index: number) => void, clickOpens?: boolean, band?: boolean}} options
 * clickOpens: a plain click opens rather than picks
 * @returns {{stop: () => void, extend: (index: number, from: number) => void, all: () => Promise<void>,
 *   toggle: (index: number) => void, rest: (index: number) => void}}
 */
export function picking({ grid, list, selection, idOf, open, clickOpens = false, band = true }) {
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
  /** A move without Shift: the next range starts here. @param {number} index */
  const rest = (index) => {
    selection.anchor = index;
    base = new Set(selection.ids);
  };
  return { stop: unband, extend, all, toggle, rest };
}
