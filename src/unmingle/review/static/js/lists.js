import { getPart, onDecision } from "./api.js";
import { fillIn } from "./dialogs.js";
import { h, partOf } from "./dom.js";

const AHEAD = 2; // pages fetched beyond what is on show
const AGAIN = "again"; // why pages on their way are stopped: all are asked for again

/** A list of the server, fetched in pages as far as it is looked at. Old rows stay on show while fresher ones are on their way. */
export class PagedList {
  /** @type {number|null} null until the first page came */ total = null;
  /** @type {number|null} */ revision = null;
  /** @type {Map<number, {items: any[], fresh: boolean}>} */ pages = new Map();
  /** asked: by somebody who waits for it, wherever they scroll meanwhile. @type {Map<number, {stop: AbortController, done: Promise<void>, asked: boolean}>} */ coming = new Map();
  first = 0;
  last = 0;

  constructor(/** @type {PagedListOptions} */ options) {
    this.options = options;
    this.size = options.size ?? 200;
  }

  /** A row, undefined while it is not here yet. @param {number} index @returns {any} */
  get(index) {
    return this.pages.get(Math.floor(index / this.size))?.items[index % this.size];
  }

  /** Where a row is that is up to date. @param {(row: any) => boolean} fits @returns {number|null} */
  find(fits) {
    for (const [page, { items, fresh }] of this.pages) {
      const at = fresh ? items.findIndex(fits) : -1;
      if (at >= 0) return page * this.size + at;
    }
    return null;
  }

  /** Everything is forgotten and asked for again, from the top. */
  restart() {
    this.pages.clear();
    this.total = null;
    this.first = 0;
    this.last = 0;
    return this.refresh();
  }

  /** Says which rows are on show: their pages are fetched first, then those around them. @param {number} first @param {number} last */
  want(first, last) {
    this.first = first;
    this.last = last;
    const [from, to] = this.#span();
    for (const [page, { stop, asked }] of this.coming) {
      if (!asked && (page < from - AHEAD || page > to + AHEAD)) {
        stop.abort();
        this.coming.delete(page);
      }
    }
    for (let page = from; page <= to; page += 1) this.#fetch(page);
    for (let step = 1; step <= AHEAD; step += 1) {
      this.#fetch(to + step);
      if (from - step >= 0) this.#fetch(from - step);
    }
  }

  /** Everything is asked for again; resolves when what is on show is fresh. */
  async refresh() {
    this.stop(AGAIN);
    for (const page of this.pages.values()) page.fresh = false;
    this.want(this.first, this.last);
    await this.settled();
  }

  /** Resolves when nothing on show is on its way. */
  async settled() {
    const [from, to] = this.#span();
    await Promise.all([...this.coming].filter(([page]) => page >= from && page <= to).map(([, { done }]) => done));
  }

  /** Rows from first to last, fetched if need be. @param {number} first @param {number} last */
  async range(first, last) {
    const end = Math.min(last, (this.total ?? 0) - 1);
    const rows = [];
    for (let index = first; index <= end; index += 1) {
      if (index === first || index % this.size === 0) await this.#fetch(Math.floor(index / this.size), true);
      if (this.get(index) !== undefined) rows.push(this.get(index));
    }
    return rows;
  }

  /** What is on its way is not waited for. @param {string} [why] */
  stop(why) {
    for (const { stop } of this.coming.values()) stop.abort(why);
    this.coming.clear();
  }

  #span() {
    return [Math.floor(this.first / this.size), Math.floor(Math.max(this.first, this.last) / this.size)];
  }

  /** @param {number} page @param {boolean} [asked] @returns {Promise<void>} */
  #fetch(page, asked = false) {
    // Of a list that nobody has seen yet any page may be there, but what is on show comes first.
    const [from, to] = this.#span();
    const beyond = page > 0 && (this.total === null ? page < from || page > to : page * this.size >= this.total);
    if (this.pages.get(page)?.fresh || beyond) return Promise.resolve();
    const under = this.coming.get(page);
    if (under) under.asked ||= asked;
    if (under) return under.done;
    const stop = new AbortController();
    /** @type {Promise<void>} */ const done = this.options.load(page * this.size, this.size, stop.signal).then(
      (answer) => stop.signal.aborted || this.#arrived(page, answer),
      (error) => stop.signal.aborted || (this.coming.delete(page) && this.options.onError(error)),
    ).then(() => stop.signal.reason === AGAIN && mine.asked ? this.#fetch(page, true) : undefined);
    const mine = { stop, done, asked };
    this.coming.set(page, mine);
    return done;
  }

  #arrived(/** @type {number} */ page, /** @type {{total: number, items: any[], revision: number}} */ { total, items, revision }) {
    this.coming.delete(page);
    const grew = this.total !== total;
    this.total = total;
    // Pages of different revisions may repeat or miss a row, so the older ones are asked for again.
    if (this.revision !== null && revision > this.revision) {
      for (const known of this.pages.values()) known.fresh = false;
      queueMicrotask(() => this.want(this.first, this.last));
    }
    this.revision = Math.max(this.revision ?? 0, revision);
    this.pages.set(page, { items, fresh: true });
    for (const known of [...this.pages.keys()]) if (known > 0 && known * this.size >= total) this.pages.delete(known);
    this.options.onChange();
    if (grew) this.want(this.first, this.last);
  }
}

const MOST = 1000; // entries that the server gives at once

/** A list of the server, by its path below /api, that goes on as its end comes near. The row of an entry stays as long as that is the same: opened, scrolled, with the focus in it. @type {Endless} */
export function endless(path, { restore, signal }, { size, query, list, row, group, empty }) {
  const end = h("div", { class: "log-end" }); // stands below the list
  /** What is on show. @type {{entry: any, told: string, element: HTMLElement}[]} */ let rows = [];
  let total = 0;
  let asking = new AbortController();
  const observer = new IntersectionObserver((entries) => {
    if (rows.length < total && entries.some((entry) => entry.isIntersecting)) load(rows.length, size);
  }, { rootMargin: "800px" });

  /** @param {number} offset @param {number} limit */
  function load(offset, limit) {
    observer.disconnect(); // it tells of changes only, and the end may still be near afterwards
    asking.abort();
    asking = new AbortController();
    void fillIn(end, async () => {
      const page = await getPart(path, { ...query, offset, limit }, AbortSignal.any([asking.signal, signal]));
      total = page.total;
      draw(offset, page.items);
      end.replaceChildren(...(total ? [] : [empty()]));
      observer.observe(end);
    });
  }

  /** @param {number} offset @param {any[]} entries from there on */
  function draw(offset, entries) {
    const known = new Map(rows.map((one) => [one.told, one]));
    const focus = /** @type {HTMLElement} */ (document.activeElement);
    const held = rows.find(({ element }) => element.contains(focus))?.entry;
    rows = [...rows.slice(0, offset), ...entries.map((entry) => {
      const told = JSON.stringify(entry);
      return known.get(told) ?? { entry, told, element: row(entry) };
    })];
    const shown = rows.flatMap(({ entry, element }, at) => {
      const words = group?.(entry);
      return words && (!at || words !== group?.(rows[at - 1].entry)) ? [h("li", { class: "log-day" }, h("h2", { text: words })), element] : [element];
    });
    /** @type {Set<Element>} */ const stays = new Set(shown);
    for (const one of [...list.children]) if (!stays.has(one)) one.remove();
    for (const [at, one] of shown.entries()) if (list.children[at] !== one) list.insertBefore(one, list.children[at]);
    const now = held && !focus.isConnected && rows.find(({ entry }) => (entry.id ?? entry.recording) === (held.id ?? held.recording));
    const data = Object.entries(focus.dataset).map(([key, value]) => `[data-${key}="${value}"]`).join("");
    if (now) partOf(now.element, `${focus.localName}${data}`)?.focus({ preventScroll: true });
  }

  /** From the top again. @param {number} [wanted] entries that are to be there at least */
  const start = (wanted = size) => load(0, Math.min(MOST, Math.max(size, wanted)));

  onDecision(() => start(rows.length), signal);
  return { end, start: () => start(restore.shown), snapshot: () => ({ shown: rows.length }) };
}
