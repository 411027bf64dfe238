import { h } from "./dom.js";

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
function layoutOf(room, { minWidth, gap, ratio, extra, most = Infinity }) {
  const fitting = Math.floor((room + gap) / (minWidth + gap));
  const columns = Math.max(1, Math.min(fitting, most));
  const width = Math.max(1, Math.floor((room - gap * (columns - 1)) / columns));
  const height = Math.round(width * ratio) + extra;
  return { columns, width, height, pitch: height + gap, gap };
}

const rowsOf = (/** @type {number} */ total, /** @type {Layout} */ layout) => Math.ceil(total / layout.columns);

/** Pixels from top to bottom. @param {number} total @param {Layout} layout */
const heightOf = (total, layout) => Math.max(0, rowsOf(total, layout) * layout.pitch - layout.gap);

/**
 * Rows that touch a stretch of pixels.
 * @param {number} top @param {number} bottom @param {number} total @param {Layout} layout
 * @returns {[number, number]} the first and the last; last < first if there is none
 */
function rowsBetween(top, bottom, total, layout) {
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
function moved(key, from, total, layout, page) {
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

/** Screens of rows that are kept beyond what is seen, each way. */
const OVERSCAN = 1;

/**
 * A grid of any length that keeps only the rows near the screen in the document. The ground below the rows is painted
 * with the pattern of empty cells, so that nothing is ever blank, however fast it is scrolled.
 */
export class VirtualGrid {
  /**
   * @param {{label: string, shape: import("./virtual-grid.js").Shape, guess?: number, selectable?: boolean,
   *   create: () => HTMLElement, fill: (cell: HTMLElement, index: number, tier: number) => void,
   *   clear: (cell: HTMLElement) => void, onRange: (first: number, last: number) => void,
   *   onMove?: (index: number, event: KeyboardEvent, from: number) => void, onFocus?: (index: number) => void}} options
   * guess: cells to show before the number is known; tier: 0 on screen, 1 beyond
   */
  constructor(options) {
    this.options = options;
    this.root = h("div", {
      class: "grid",
      role: "grid",
      "aria-label": options.label,
      "aria-multiselectable": options.selectable ? "true" : null,
    });
    this.ground = h("div", { class: "grid-ground", role: "presentation" });
    this.root.append(this.ground);
    /** @type {Map<number, HTMLElement>} row → its element */ this.rows = new Map();
    /** @type {HTMLElement[]} */ this.spare = [];
    this.total = options.guess ?? 0;
    this.focused = 0;
    this.layout = layoutOf(1000, options.shape);
    this.width = 0;
    /** What lies over a cell and moves with it. @type {{element: HTMLElement, index: number}|null} */ this.over = null;
    this.onScroll = () => this.render();
    this.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#key(event));
    this.root.addEventListener("focusin", (/** @type {FocusEvent} */ event) => this.#focusIn(event));
  }

  /** Begins to follow the window. Call once it is in the document. */
  start() {
    this.observer = new ResizeObserver(() => this.#measure());
    this.observer.observe(this.root);
    if (this.root.parentElement) this.observer.observe(this.root.parentElement); // what is above may push it down
    for (const kind of ["scroll", "resize"]) window.addEventListener(kind, this.onScroll, { passive: true });
    this.#measure();
  }

  stop() {
    this.observer?.disconnect();
    for (const kind of ["scroll", "resize"]) window.removeEventListener(kind, this.onScroll);
    for (const row of [...this.rows.keys()]) this.#release(row);
  }

  /** What is there stays where it is: somebody may have the focus in it. @param {number} total */
  resize(total) {
    if (total === this.total) return;
    const held = this.indexAt(document.activeElement) !== null;
    this.total = total;
    this.focused = Math.max(0, Math.min(this.focused, total - 1));
    for (const row of [...this.rows.keys()]) if (row >= rowsOf(total, this.layout)) this.#release(row);
    this.refill();
    this.#setHeight();
    this.render();
    if (held && this.indexAt(document.activeElement) === null) this.focus(this.focused);
  }

  /** Lays something over a cell, or takes it away. @param {HTMLElement|null} element @param {number} [index] */
  cover(element, index = 0) {
    if (this.over && this.over.element !== element) this.over.element.remove();
    this.over = element && { element, index };
    if (!element) return;
    const { columns, width, height, pitch, gap } = this.layout;
    element.style.width = `${width}px`;
    element.style.left = `${(index % columns) * (width + gap)}px`;
    element.style.top = `${Math.floor(index / columns) * pitch + height}px`;
    if (!element.isConnected) this.root.append(element);
  }

  /** Fills cells again whose rows changed. @param {number} [first] @param {number} [last] */
  refill(first = 0, last = this.total - 1) {
    for (const [row, element] of this.rows) {
      const from = row * this.layout.columns;
      if (from <= last && from + this.layout.columns > first) this.#fillRow(element, row);
    }
  }

  /** @param {number} index @returns {HTMLElement|null} */
  cell(index) {
    const row = this.rows.get(Math.floor(index / this.layout.columns));
    return /** @type {HTMLElement|null} */ (row?.children[index % this.layout.columns] ?? null);
  }

  /** Which cell an element is in. @param {EventTarget|null} target @returns {number|null} */
  indexAt(target) {
    const cell = target instanceof Element ? target.closest("[role=gridcell]") : null;
    const index = cell && this.root.contains(cell) ? Number(/** @type {HTMLElement} */ (cell).dataset.index) : NaN;
    return Number.isNaN(index) || index >= this.total ? null : index;
  }

  /** Moves the focus to a cell, and the window if need be. @param {number} index */
  focus(index) {
    if (!this.total) return;
    this.show(Math.max(0, Math.min(index, this.total - 1)));
    this.render();
    this.point(index, { focus: true });
  }

  /** Makes a cell the one that keys start from, wherever it is. @param {number} index @param {{focus?: boolean}} [how] */
  point(index, { focus = this.indexAt(document.activeElement) !== null } = {}) {
    const old = this.cell(this.focused);
    if (old) old.tabIndex = -1;
    this.focused = Math.max(0, Math.min(index, this.total - 1));
    if (focus) this.#place(Math.floor(this.focused / this.layout.columns));
    const cell = this.cell(this.focused);
    if (cell) cell.tabIndex = 0;
    if (cell && focus) cell.focus({ preventScroll: true });
    this.options.onFocus?.(this.focused);
  }

  /** Scrolls until a cell can be seen whole. @param {number} index */
  show(index) {
    const top = this.#top() + this.#rowTop(index);
    const head = covered("[data-sticky]");
    const foot = document.querySelector("#actions > *") ? 88 : 12;
    if (top < head) window.scrollBy(0, top - head - 8);
    else if (top + this.layout.height > innerHeight - foot) window.scrollBy(0, top + this.layout.height - innerHeight + foot);
  }

  /** Puts the rows near the screen into the document, and takes the others out. */
  render() {
    const top = this.#top();
    const beyond = innerHeight * OVERSCAN;
    const [first, last] = rowsBetween(-top - beyond, innerHeight - top + beyond, this.total, this.layout);
    const pinned = this.#pinned();
    for (const row of [...this.rows.keys()]) {
      if ((row < first || row > last) && row !== pinned) this.#release(row);
    }
    const seen = rowsBetween(-top, innerHeight - top, this.total, this.layout);
    this.seen = seen;
    for (let row = seen[0]; row <= seen[1]; row += 1) this.#place(row);
    for (let row = first; row <= last; row += 1) this.#place(row);
    if (last >= first) this.options.onRange(seen[0] * this.layout.columns, Math.max(0, Math.min(this.total, (seen[1] + 1) * this.layout.columns) - 1));
  }

  /** The first cell that can be seen, to come back to. */
  firstSeen() {
    return Math.max(0, (this.seen?.[0] ?? 0) * this.layout.columns);
  }

  /** What is needed to come back to the same cells, in whatever width: the first that is seen, and where it stands. */
  snapshot() {
    const first = this.firstSeen();
    const top = this.#top();
    return { total: this.total, focused: this.focused, first, offset: top < 0 ? top + this.#rowTop(first) : null };
  }

  /** How far down the page a snapshot was. @param {{first?: number, offset?: number|null}} restore @returns {number|null} */
  placeOf({ first, offset }) {
    if (first === undefined || offset === undefined || offset === null) return null;
    return scrollY + this.#top() + this.#rowTop(first) - offset;
  }

  #rowTop(/** @type {number} */ index) {
    return Math.floor(index / this.layout.columns) * this.layout.pitch;
  }

  #top() {
    return this.root.getBoundingClientRect().top;
  }

  /** The row that holds the focus stays, so that the focus does too. */
  #pinned() {
    const index = this.indexAt(document.activeElement);
    return index === null ? null : Math.floor(index / this.layout.columns);
  }

  #measure() {
    const width = this.root.clientWidth;
    if (!width || width === this.width) return this.render();
    const keep = this.width ? this.firstSeen() : 0;
    const offset = this.#top();
    this.width = width;
    this.layout = layoutOf(width, this.options.shape);
    const held = this.indexAt(document.activeElement) !== null;
    for (const row of [...this.rows.keys()]) this.#release(row);
    this.spare = [];
    this.#setHeight();
    if (this.over) this.cover(this.over.element, this.over.index);
    if (keep && offset < 0) window.scrollTo(0, scrollY + this.#top() + this.#rowTop(keep));
    this.render();
    return held ? this.point(this.focused, { focus: true }) : undefined;
  }

  #setHeight() {
    const { columns, width, height, pitch, gap } = this.layout;
    this.root.style.height = `${heightOf(this.total, this.layout)}px`;
    this.root.style.setProperty("--cell-w", `${width}px`);
    this.root.style.setProperty("--cell-h", `${height}px`);
    this.root.style.setProperty("--across", `${width + gap}px`);
    this.root.style.setProperty("--pitch", `${pitch}px`);
    this.root.style.setProperty("--gap", `${gap}px`);
    this.root.style.setProperty("--columns", String(columns));
    this.ground.style.height = `${Math.max(0, Math.floor(this.total / columns) * pitch - gap)}px`;
    this.ground.style.width = `${columns * (width + gap) - gap}px`;
    this.root.setAttribute("aria-rowcount", String(rowsOf(this.total, this.layout)));
    this.root.setAttribute("aria-colcount", String(columns));
  }

  #place(/** @type {number} */ row) {
    if (this.rows.has(row)) return;
    const element = this.spare.pop() ?? this.#newRow();
    element.style.transform = `translateY(${row * this.layout.pitch}px)`;
    element.setAttribute("aria-rowindex", String(row + 1));
    this.rows.set(row, element);
    this.#fillRow(element, row);
    this.root.append(element);
  }

  #newRow() {
    const cells = Array.from({ length: this.layout.columns }, (_, column) => {
      const cell = this.options.create();
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", String(column + 1));
      return cell;
    });
    return h("div", { class: "grid-row", role: "row" }, ...cells);
  }

  #fillRow(/** @type {HTMLElement} */ element, /** @type {number} */ row) {
    const seen = !this.seen || (row >= this.seen[0] && row <= this.seen[1]);
    const cells = /** @type {HTMLElement[]} */ ([...element.children]);
    for (const [column, cell] of cells.entries()) {
      const index = row * this.layout.columns + column;
      cell.hidden = index >= this.total;
      cell.dataset.index = String(index);
      cell.tabIndex = index === this.focused ? 0 : -1;
      if (cell.hidden) this.options.clear(cell);
      else this.options.fill(cell, index, seen ? 0 : 1);
    }
  }

  #release(/** @type {number} */ row) {
    const element = this.rows.get(row);
    if (!element) return;
    this.rows.delete(row);
    for (const cell of element.children) this.options.clear(/** @type {HTMLElement} */ (cell));
    element.remove();
    if (element.childElementCount === this.layout.columns && this.spare.length < 40) this.spare.push(element);
  }

  #focusIn(/** @type {FocusEvent} */ event) {
    const index = this.indexAt(event.target);
    if (index !== null) this.point(index, { focus: false });
  }

  #key(/** @type {KeyboardEvent} */ event) {
    if (!(event.target instanceof HTMLElement) || event.target.getAttribute("role") !== "gridcell") return;
    if (event.altKey || ((event.ctrlKey || event.metaKey) && !["Home", "End"].includes(event.key))) return;
    const page = Math.max(1, Math.floor(innerHeight / this.layout.pitch) - 1);
    const to = moved(event.key, this.focused, this.total, this.layout, page);
    if (to === null) return;
    event.preventDefault();
    const from = this.focused;
    this.focus(to);
    this.options.onMove?.(to, event, from);
  }
}

/** Pixels at the top that sticky parts cover. @param {string} selector */
function covered(selector) {
  return Math.max(0, ...[...document.querySelectorAll(selector)].map((part) => part.getBoundingClientRect().bottom));
}
