/**
 * A list of the server that is fetched in pages, as far as it is looked at and a little ahead.
 * Old rows stay on show while fresher ones are on their way.
 * @template T
 */
export class PagedList {
  /**
   * @param {{load: (offset: number, limit: number, signal: AbortSignal) => Promise<{total: number, items: T[], revision?: number}>,
   *   size?: number, ahead?: number, onChange: (first: number, last: number) => void, onError?: (error: any) => void}} options
   * size: rows a page; ahead: pages fetched beyond what is on show
   */
  constructor({ load, size = 200, ahead = 2, onChange, onError = () => {} }) {
    this.load = load;
    this.size = size;
    this.ahead = ahead;
    this.onChange = onChange;
    this.onError = onError;
    /** @type {number|null} null until the first page came */ this.total = null;
    /** @type {number|null} */ this.revision = null;
    /** @type {Map<number, {items: T[], fresh: boolean}>} */ this.pages = new Map();
    /** @type {Map<number, {stop: AbortController, done: Promise<void>}>} */ this.coming = new Map();
    this.first = 0;
    this.last = 0;
  }

  /** @param {number} index @returns {T|undefined} undefined: not here yet */
  get(index) {
    return this.pages.get(Math.floor(index / this.size))?.items[index % this.size];
  }

  /** Where a row is that is up to date. @param {(row: T) => boolean} fits @returns {number|null} */
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

  /** Says which rows are on show. @param {number} first @param {number} last */
  want(first, last) {
    this.first = first;
    this.last = last;
    const [from, to] = this.#span();
    for (const [page, { stop }] of this.coming) {
      if (page < from - this.ahead || page > to + this.ahead) {
        stop.abort();
        this.coming.delete(page);
      }
    }
    for (const page of this.#order(from, to)) this.#fetch(page);
  }

  /** Everything is asked for again; resolves when what is on show is fresh. */
  async refresh() {
    for (const { stop } of this.coming.values()) stop.abort();
    this.coming.clear();
    for (const page of this.pages.values()) page.fresh = false;
    this.want(this.first, this.last);
    await this.settled();
  }

  /** Resolves when nothing on show is on its way. */
  async settled() {
    const [from, to] = this.#span();
    const pending = [...this.coming].filter(([page]) => page >= from && page <= to).map(([, { done }]) => done);
    await Promise.all(pending);
  }

  /** Rows from first to last, fetched if need be. @param {number} first @param {number} last @returns {Promise<T[]>} */
  async range(first, last) {
    const end = Math.min(last, (this.total ?? 0) - 1);
    const rows = [];
    for (let page = Math.floor(first / this.size); page * this.size <= end; page += 1) {
      await this.#fetch(page);
      for (let index = Math.max(first, page * this.size); index <= Math.min(end, (page + 1) * this.size - 1); index += 1) {
        const row = this.get(index);
        if (row !== undefined) rows.push(row);
      }
    }
    return rows;
  }

  /** Stops everything: nobody looks at the list any more. */
  stop() {
    for (const { stop } of this.coming.values()) stop.abort();
    this.coming.clear();
    this.onChange = () => {};
    this.onError = () => {};
  }

  #span() {
    return [Math.floor(this.first / this.size), Math.floor(Math.max(this.first, this.last) / this.size)];
  }

  /** The pages on show first, then those around them. @param {number} from @param {number} to */
  *#order(from, to) {
    for (let page = from; page <= to; page += 1) yield page;
    for (let step = 1; step <= this.ahead; step += 1) {
      yield to + step;
      if (from - step >= 0) yield from - step;
    }
  }

  #fetch(/** @type {number} */ page) {
    const known = this.pages.get(page)?.fresh;
    // Of a list that nobody has seen yet any page may be there, but what is on show comes first.
    const [from, to] = this.#span();
    const beyond = page > 0 && (this.total === null ? page < from || page > to : page * this.size >= this.total);
    if (known || beyond) return Promise.resolve();
    const under = this.coming.get(page);
    if (under) return under.done;
    const stop = new AbortController();
    const done = this.load(page * this.size, this.size, stop.signal)
      .then((answer) => this.#arrived(page, stop, answer))
      .catch((error) => this.#failed(page, stop, error));
    this.coming.set(page, { stop, done });
    return done;
  }

  #arrived(/** @type {number} */ page, /** @type {AbortController} */ stop, /** @type {{total: number, items: T[], revision?: number}} */ answer) {
    if (stop.signal.aborted) return;
    this.coming.delete(page);
    const grew = this.total !== answer.total;
    this.total = answer.total;
    this.#compare(answer.revision ?? null);
    this.pages.set(page, { items: answer.items, fresh: true });
    for (const known of [...this.pages.keys()]) {
      if (known > 0 && known * this.size >= answer.total) this.pages.delete(known);
    }
    if (grew) this.onChange(0, answer.total - 1);
    else this.onChange(page * this.size, page * this.size + answer.items.length - 1);
    if (grew) this.want(this.first, this.last);
  }

  /** Pages of different revisions may repeat or miss a row, so the older ones are asked for again. @param {number|null} revision */
  #compare(revision) {
    if (this.revision !== null && revision !== null && revision > this.revision) {
      for (const page of this.pages.values()) page.fresh = false;
      queueMicrotask(() => this.want(this.first, this.last));
    }
    if (revision !== null) this.revision = Math.max(this.revision ?? 0, revision);
  }

  #failed(/** @type {number} */ page, /** @type {AbortController} */ stop, /** @type {any} */ error) {
    if (stop.signal.aborted) return;
    this.coming.delete(page);
    this.onError(error);
  }
}
