import { get } from "./api.js";
import { errorState } from "./toasts.js";

const MOST = 1000; // entries that the server gives at once

/**
 * A list of the server that goes on as its end comes near.
 * @param {{path: string, size: number, items: (page: any) => any[], end: HTMLElement, empty: () => HTMLElement,
 *   renew: (page: any) => void, put: (page: any) => void}} options
 * size: entries a page; end: what stands below the list; empty: what it says of none;
 * renew: shows the first entries, again or for the first time; put: shows the next
 */
export function endless({ path, size, items, end, empty, renew, put }) {
  let total = 0;
  let shown = 0;
  let wave = 0;
  let loading = false;

  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) void more();
  }, { rootMargin: "800px" });

  /** @param {number} [wanted] entries that are to be there at least */
  async function start(wanted = size) {
    wave += 1;
    const mine = wave;
    try {
      const page = await get(path, { offset: 0, limit: Math.min(MOST, Math.max(size, wanted)) });
      if (mine !== wave) return;
      renew(page);
      shown = 0;
      count(page);
      end.replaceChildren(...(total ? [] : [empty()]));
    } catch (error) {
      if (mine === wave) end.replaceChildren(errorState(error, () => start()));
    }
  }

  async function more() {
    if (loading || shown >= total) return;
    loading = true;
    const mine = wave;
    try {
      const page = await get(path, { offset: shown, limit: size });
      if (mine !== wave) return;
      end.replaceChildren();
      put(page);
      count(page);
    } catch (error) {
      if (mine === wave) end.replaceChildren(errorState(error, more));
    } finally {
      loading = false;
    }
  }

  function count(/** @type {any} */ page) {
    total = page.total;
    shown += items(page).length;
    observer.unobserve(end); // it tells of changes only, and the end may still be near
    observer.observe(end);
  }

  return {
    start,
    again: () => start(shown),
    shown: () => shown,
    stop: () => {
      wave += 1;
      observer.disconnect();
    },
  };
}
