import { blank } from "./cells.js";
import { h } from "./dom.js";

const OVERSCAN = 1; // screens of rows that are kept beyond what is seen, each way

// Every row is as high as every other, so that any is found without looking at those before it. The ground below is
// painted with the pattern of empty cells, so that nothing is ever blank, however fast it is scrolled.
/** A grid of any length that keeps only the rows near the screen in the document. */
export class VirtualGrid {
  /** @type {Map<number, HTMLElement>} row → its element */ rows = new Map();
  /** @type {[number, number]|null} rows on screen */ seen = null;
  /** What lies over a cell and moves with it. @type {{element: HTMLElement, index: number}|null} */ over = null;
  focused = 0;
  columns = 1;
  roomy = 0; // pixels across, of the layout
  width = 1; // of a cell
  height = 1;
  gap = 1;
  pitch = 1; // from one row to the next

  constructor(/** @type {GridOptions} */ options) {
    this.options = options;
    this.total = options.guess;
    this.ground = h("div", { class: "grid-ground", role: "presentation" });
    this.root = h("div", { class: "grid", role: "grid", "aria-label": options.label, "aria-multiselectable": "true" }, this.ground);
    this.#layOut(1000);
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.root.addEventListener("focusin", ({ target }) => {
      const index = this.indexAt(target);
      if (index !== null) this.point(index, { focus: false });
    });
  }

  #layOut(/** @type {number} */ room) {
    const { minWidth, gap, ratio, extra } = this.options.shapes[innerWidth < 560 ? 1 : 0];
    this.columns = Math.max(1, Math.floor((room + gap) / (minWidth + gap)));
    this.width = Math.max(1, Math.floor((room - gap * (this.columns - 1)) / this.columns));
    this.height = Math.round(this.width * ratio) + extra;
    this.gap = gap;
    this.pitch = this.height + gap;
  }

  #rowOf = (/** @type {number} */ index) => Math.floor(index / this.columns);
  #cellAt = (/** @type {number} */ index) => /** @type {HTMLElement|undefined} */ (this.rows.get(this.#rowOf(index))?.children[index % this.columns]);
  #rowTop = (/** @type {number} */ index) => this.#rowOf(index) * this.pitch;
  #rowCount = () => Math.ceil(this.total / this.columns);
  #top = () => this.root.getBoundingClientRect().top;
  #firstSeen = () => Math.max(0, (this.seen?.[0] ?? 0) * this.columns);
  hasFocus = () => this.indexAt(document.activeElement) !== null;

  /** Rows that touch a stretch of pixels: the first and the last; last < first if there is none. @param {number} top @param {number} bottom @returns {[number, number]} */
  #rowsBetween(top, bottom) {
    return [Math.max(0, Math.floor(top / this.pitch)), Math.min(this.#rowCount() - 1, Math.floor(bottom / this.pitch))];
  }

  /** Stretches of cells that touch a rectangle, row by row, both ends included. @param {{left: number, top: number, right: number, bottom: number}} box */
  cellsIn(box) {
    const across = this.width + this.gap;
    const left = Math.max(0, Math.ceil((box.left - this.width) / across));
    const right = Math.min(this.columns - 1, Math.floor(box.right / across));
    const [first, last] = this.#rowsBetween(box.top, box.bottom);
    /** @type {[number, number][]} */ const stretches = [];
    for (let row = first; row <= last && left <= right; row += 1) {
      const from = row * this.columns + left;
      const to = Math.min(row * this.columns + right, this.total - 1);
      if (from <= to) stretches.push([from, to]);
    }
    return stretches;
  }

  /** Begins to follow the window. Call once it is in the document. @param {AbortSignal} signal ends it */
  start(signal) {
    const observer = new ResizeObserver(() => this.#measure());
    observer.observe(this.root);
    if (this.root.parentElement) observer.observe(this.root.parentElement); // what is above may push it down
    for (const kind of ["scroll", "resize"]) window.addEventListener(kind, () => this.render(), { passive: true, signal });
    signal.addEventListener("abort", () => {
      observer.disconnect();
      for (const row of [...this.rows.keys()]) this.#release(row);
    });
    this.#measure();
  }

  /** What is there stays where it is: somebody may have the focus in it. @param {number} total */
  resize(total) {
    if (total === this.total) return;
    const held = this.hasFocus();
    this.total = total;
    this.focused = Math.max(0, Math.min(this.focused, total - 1));
    for (const row of [...this.rows.keys()]) if (row >= this.#rowCount()) this.#release(row);
    this.#setHeight();
    this.render();
    if (held && !this.hasFocus()) this.focus(this.focused);
  }

  /** Lays something over a cell, or takes it away. @param {HTMLElement|null} element @param {number} [index] */
  cover(element, index = 0) {
    if (this.over && this.over.element !== element) this.over.element.remove();
    this.over = element && { element, index };
    if (!element) return;
    const [left, top] = [(index % this.columns) * (this.width + this.gap), this.#rowTop(index) + this.height];
    Object.assign(element.style, { width: `${this.width}px`, left: `${left}px`, top: `${top}px` });
    element.classList.toggle("last-column", (index + 1) % this.columns === 0);
    if (!element.isConnected) this.root.append(element);
  }

  /** Fills the cells again: what they show changed. */
  refill() {
    for (const [row, element] of this.rows) this.#fillRow(element, row);
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
  point(index, { focus = this.hasFocus() } = {}) {
    const old = this.#cellAt(this.focused);
    if (old) old.tabIndex = -1;
    this.focused = Math.max(0, Math.min(index, this.total - 1));
    if (focus) this.#place(this.#rowOf(this.focused));
    const cell = this.#cellAt(this.focused);
    if (cell) cell.tabIndex = 0;
    if (focus) cell?.focus({ preventScroll: true });
    this.options.onFocus(this.focused);
  }

  /** Scrolls until a cell can be seen whole, as far from the edges as the style sheet says. @param {number} index */
  show(index) {
    this.#place(this.#rowOf(index));
    this.#cellAt(index)?.scrollIntoView({ block: "nearest" });
  }

  /** Puts the rows near the screen into the document, and takes the others out; the one with the focus stays. */
  render() {
    const top = this.#top();
    const beyond = innerHeight * OVERSCAN;
    const [first, last] = this.#rowsBetween(-top - beyond, innerHeight - top + beyond);
    const index = this.indexAt(document.activeElement);
    const pinned = index === null ? null : this.#rowOf(index);
    for (const row of [...this.rows.keys()]) if ((row < first || row > last) && row !== pinned) this.#release(row);
    const [from, to] = this.#rowsBetween(-top, innerHeight - top);
    this.seen = [from, to];
    for (let row = from; row <= to; row += 1) this.#place(row);
    for (let row = first; row <= last; row += 1) this.#place(row);
    if (last >= first) this.options.onRange(from * this.columns, Math.max(0, Math.min(this.total, (to + 1) * this.columns) - 1));
  }

  /** What is needed to come back to the same cells, in whatever width: the first that is seen, and where it stands. */
  snapshot() {
    const first = this.#firstSeen();
    const top = this.#top();
    return { total: this.total, focused: this.focused, first, offset: top < 0 ? top + this.#rowTop(first) : null };
  }

  /** How far down the page a snapshot was. @param {{first?: number, offset?: number|null}} restore @returns {number|null} */
  placeOf({ first, offset }) {
    if (first === undefined || offset === undefined || offset === null) return null;
    return scrollY + this.#top() + this.#rowTop(first) - offset;
  }

  #measure() {
    const room = this.root.clientWidth;
    if (!room || room === this.roomy) return this.render();
    const keep = this.roomy ? this.#firstSeen() : 0;
    const offset = this.#top();
    const held = this.hasFocus();
    for (const row of [...this.rows.keys()]) this.#release(row);
    this.roomy = room;
    this.#layOut(room);
    this.#setHeight();
    if (this.over) this.cover(this.over.element, this.over.index);
    if (keep && offset < 0) window.scrollTo(0, scrollY + this.#top() + this.#rowTop(keep));
    this.render();
    return held ? this.point(this.focused, { focus: true }) : undefined;
  }

  #setHeight() {
    const { columns, width, height, pitch, gap, root } = this;
    root.style.height = `${Math.max(0, this.#rowCount() * pitch - gap)}px`;
    const sizes = { "--cell-w": width, "--cell-h": height, "--across": width + gap, "--pitch": pitch, "--gap": gap };
    for (const [name, pixels] of Object.entries(sizes)) root.style.setProperty(name, `${pixels}px`);
    root.style.setProperty("--columns", String(columns));
    this.ground.style.height = `${Math.max(0, Math.floor(this.total / columns) * pitch - gap)}px`;
    this.ground.style.width = `${columns * (width + gap) - gap}px`;
    root.setAttribute("aria-rowcount", String(this.#rowCount()));
    root.setAttribute("aria-colcount", String(columns));
  }

  #place(/** @type {number} */ row) {
    if (this.rows.has(row)) return;
    const cells = Array.from({ length: this.columns }, (_, column) => {
      const cell = this.options.create();
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", String(column + 1));
      return cell;
    });
    const element = h("div", { class: "grid-row", role: "row", "aria-rowindex": row + 1 }, ...cells);
    element.style.transform = `translateY(${row * this.pitch}px)`;
    this.rows.set(row, element);
    this.#fillRow(element, row);
    this.root.append(element);
  }

  #fillRow(/** @type {HTMLElement} */ element, /** @type {number} */ row) {
    const seen = !this.seen || (row >= this.seen[0] && row <= this.seen[1]);
    for (const [column, child] of [...element.children].entries()) {
      const cell = /** @type {HTMLElement} */ (child);
      const index = row * this.columns + column;
      cell.hidden = index >= this.total;
      cell.dataset.index = String(index);
      cell.tabIndex = index === this.focused ? 0 : -1;
      if (cell.hidden) blank(cell);
      else this.options.fill(cell, index, seen ? 0 : 1);
    }
  }

  #release(/** @type {number} */ row) {
    const element = this.rows.get(row);
    if (!element) return;
    this.rows.delete(row);
    for (const cell of element.children) blank(/** @type {HTMLElement} */ (cell));
    element.remove();
  }

  /** Where a key leads; null: not a key that moves. @param {string} key @returns {number|null} */
  #moved(key) {
    const { focused: from, total, columns } = this;
    const page = columns * Math.max(1, Math.floor(innerHeight / this.pitch) - 1);
    const step = /** @type {Record<string, number>} */ ({
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      PageUp: -page,
      PageDown: page,
      Home: -from,
      End: total - 1 - from,
    })[key];
    if (step === undefined) return null;
    const to = from + step;
    if (key === "ArrowUp" && to < 0) return from;
    if (key === "ArrowDown" && to >= total) return this.#rowOf(from) < this.#rowOf(total - 1) ? total - 1 : from;
    return Math.max(0, Math.min(total - 1, to));
  }

  #key(/** @type {KeyboardEvent} */ event) {
    if (!(event.target instanceof HTMLElement) || event.target.getAttribute("role") !== "gridcell") return;
    if (event.altKey || ((event.ctrlKey || event.metaKey) && !["Home", "End"].includes(event.key))) return;
    const to = this.#moved(event.key);
    if (to === null) return;
    event.preventDefault();
    const from = this.focused;
    this.focus(to);
    this.options.onMove(to, event, from);
  }
}
