import { get, on } from "./api.js";
import { errorState } from "./dialogs.js";
import { h } from "./dom.js";

const MOST = 1000; // entries that the server gives at once

/** A list of the server, by its path below /api, that goes on as its end comes near. @type {Endless} */
export function endless(path, restore, signal, { size, query, items, empty, renew, put }) {
  /** @type {HTMLElement} what stands below the list */ const end = h("div", { class: "log-end" });
  let total = 0;
  let shown = 0;
  let wave = 0;
  let loading = false;
  const observer = new IntersectionObserver((entries) => {
    if (!loading && shown < total && entries.some((entry) => entry.isIntersecting)) void load(shown, size, put);
  }, { rootMargin: "800px" });

  /** @param {number} offset @param {number} limit @param {(page: any) => void} draw */
  async function load(offset, limit, draw) {
    const mine = wave;
    loading = true;
    try {
      const page = await get(path, { ...query, offset, limit });
      if (mine !== wave) return;
      draw(page);
      total = page.total;
      shown = offset + items(page).length;
      end.replaceChildren(...(total ? [] : [empty()]));
      observer.unobserve(end); // it tells of changes only, and the end may still be near
      observer.observe(end);
    } catch (error) {
      if (mine === wave) end.replaceChildren(errorState(error, () => load(offset, limit, draw)));
    } finally {
      if (mine === wave) loading = false;
    }
  }

  /** From the top again. @param {number} [wanted] entries that are to be there at least */
  function start(wanted = size) {
    wave += 1;
    void load(0, Math.min(MOST, Math.max(size, wanted)), renew);
  }

  on("changed", () => start(shown), signal);
  signal.addEventListener("abort", () => {
    wave += 1;
    observer.disconnect();
  });
  return { end, start: () => start(restore.shown), snapshot: () => ({ shown }) };
}
