import { clearTile, createTile, fillTile } from "./face-tile.js";
import { PagedList } from "./paged-list.js";
import { picking } from "./picking.js";
import { VirtualGrid } from "./virtual-grid.js";

const TILE = { minWidth: 104, gap: 4, ratio: 1, extra: 0 };
const SMALL_TILE = { ...TILE, minWidth: 84 };

/**
 * A grid of faces that are fetched as it scrolls, and picked with mouse, finger and keys.
 * @param {{label: string, guess: number, selection: import("./selection.js").Selection,
 *   load: (offset: number, limit: number, signal: AbortSignal) => Promise<any>,
 *   idOf: (row: any) => number, open: (index: number) => void, onError: (error: any) => void}} options
 * guess: faces to show before their number is known; load: a page of faces, with total and revision
 */
export function faceGrid({ label, guess, selection, load, idOf, open, onError }) {
  const list = new PagedList({
    load: async (offset, limit, signal) => {
      const { faces, total, revision } = await load(offset, limit, signal);
      return { items: faces, total, revision };
    },
    onChange: (first, last) => {
      grid.resize(list.total ?? 0);
      grid.refill(first, last);
    },
    onError,
  });
  const grid = new VirtualGrid({
    label,
    selectable: true,
    shape: innerWidth < 560 ? SMALL_TILE : TILE,
    guess,
    create: createTile,
    clear: clearTile,
    fill: (tile, index, tier) => {
      const row = /** @type {any} */ (list.get(index));
      fillTile(tile, row, { tier, selected: Boolean(row && selection.has(idOf(row))) });
    },
    onRange: (first, last) => list.want(first, last),
    onMove: (index, event, from) => (event.shiftKey ? picker.extend(index, from) : picker.rest(index)),
  });
  const picker = picking({ grid, list, selection, idOf, open });
  return {
    list,
    grid,
    picker,
    snapshot: () => ({ total: list.total ?? undefined, focused: grid.focused }),
    stop: () => {
      picker.stop();
      list.stop();
      grid.stop();
    },
  };
}
