/**
 * What is picked, by id, so that it lasts when the order changes.
 */
export class Selection {
  /** @param {() => void} onChange */
  constructor(onChange) {
    /** @type {Set<number>} */
    this.ids = new Set();
    /** @type {number|null} where a range starts, as a place in the list */
    this.anchor = null;
    this.onChange = onChange;
  }

  get size() {
    return this.ids.size;
  }

  /** @param {number} id */
  has(id) {
    return this.ids.has(id);
  }

  list() {
    return [...this.ids];
  }

  /** @param {number} id @param {number} index */
  only(id, index) {
    this.replace([id]);
    this.anchor = index;
  }

  /** @param {number} id @param {number} index */
  toggle(id, index) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.anchor = index;
    this.onChange();
  }

  /** @param {Iterable<number>} ids */
  add(ids) {
    for (const id of ids) this.ids.add(id);
    this.onChange();
  }

  /** @param {Iterable<number>} ids */
  replace(ids) {
    this.ids = new Set(ids);
    this.onChange();
  }

  clear() {
    if (!this.ids.size) return;
    this.ids.clear();
    this.anchor = null;
    this.onChange();
  }
}
