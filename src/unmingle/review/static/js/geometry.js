/**
 * @typedef {{minWidth: number, gap: number, ratio: number, extra: number, most?: number}} Shape
 * minWidth: of a cell; ratio: height of its picture to its width; extra: pixels below the picture; most: columns
 * @typedef {{columns: number, width: number, height: number, pitch: number, gap: number}} Layout
 * width, height: of a cell; pitch: from one row to the next
 */

/**
 * Where cells go: every row is as high as every other, so that any row is found without looking at those before it.
 * @param {number} room pixels across
 * @param {Shape} shape
 * @returns {Layout}
 */
export function layoutOf(room, { minWidth, gap, ratio, extra, most = Infinity }) {
  const fitting = Math.floor((room + gap) / (minWidth + gap));
  const columns = Math.max(1, Math.min(fitting, most));
  const width = Math.max(1, Math.floor((room - gap * (columns - 1)) / columns));
  const height = Math.round(width * ratio) + extra;
  return { columns, width, height, pitch: height + gap, gap };
}

export const rowsOf = (/** @type {number} */ total, /** @type {Layout} */ layout) => Math.ceil(total / layout.columns);

/** Pixels from top to bottom. @param {number} total @param {Layout} layout */
export const heightOf = (total, layout) => Math.max(0, rowsOf(total, layout) * layout.pitch - layout.gap);

/**
 * Rows that touch a stretch of pixels.
 * @param {number} top @param {number} bottom @param {number} total @param {Layout} layout
 * @returns {[number, number]} the first and the last; last < first if there is none
 */
export function rowsBetween(top, bottom, total, layout) {
  const first = Math.max(0, Math.floor(top / layout.pitch));
  const last = Math.min(rowsOf(total, layout) - 1, Math.floor(bottom / layout.pitch));
  return [first, last];
}

/**
 * Cells that touch a rectangle, row by row.
 * @param {{left: number, top: number, right: number, bottom: number}} box
 * @param {number} total @param {Layout} layout
 * @returns {[number, number][]} stretches of cells, both ends included
 */
export function cellsIn(box, total, layout) {
  const across = layout.width + layout.gap;
  const left = Math.max(0, Math.ceil((box.left - layout.width) / across));
  const right = Math.min(layout.columns - 1, Math.floor(box.right / across));
  const [first, last] = rowsBetween(box.top, box.bottom, total, layout);
  const stretches = [];
  for (let row = first; row <= last && left <= right; row += 1) {
    const from = row * layout.columns + left;
    const to = Math.min(row * layout.columns + right, total - 1);
    if (from <= to) stretches.push(/** @type {[number, number]} */ ([from, to]));
  }
  return stretches;
}

/**
 * Where a key leads.
 * @param {string} key @param {number} from @param {number} total @param {Layout} layout @param {number} page rows
 * @returns {number|null} null: not a key that moves
 */
export function moved(key, from, total, layout, page) {
  const steps = /** @type {Record<string, number>} */ ({
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -layout.columns,
    ArrowDown: layout.columns,
    PageUp: -layout.columns * page,
    PageDown: layout.columns * page,
    Home: -from,
    End: total - 1 - from,
  });
  if (!(key in steps)) return null;
  const to = from + steps[key];
  if (key === "ArrowUp" && to < 0) return from;
  if (key === "ArrowDown" && to >= total) {
    const lastRow = Math.floor((total - 1) / layout.columns);
    return Math.floor(from / layout.columns) < lastRow ? total - 1 : from;
  }
  return Math.max(0, Math.min(total - 1, to));
}
