/**
 * What is picked, by id, so that it lasts when the order changes.
 */
export class Selection {
  constructor(/** @type {() => void} */ onChange) {
    /** @type {Set<number>} */
    this.ids = new Set();
    /** @type {number|null} where a range starts, as a place in the list */
    this.anchor = null;
    this.onChange = onChange;
  }

  get size() {
    return this.ids.size;
  }

  has(/** @type {number} */ id) {
    return this.ids.has(id);
  }

  list() {
    return [...this.ids];
  }

  only(/** @type {number} */ id, /** @type {number} */ index) {
    this.replace([id]);
    this.anchor = index;
  }

  toggle(/** @type {number} */ id, /** @type {number} */ index) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.anchor = index;
    this.onChange();
  }

  add(/** @type {Iterable<number>} */ ids) {
    for (const id of ids) this.ids.add(id);
    this.onChange();
  }

  replace(/** @type {Iterable<number>} */ ids) {
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
