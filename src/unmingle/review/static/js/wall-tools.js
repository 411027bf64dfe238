import { h, icon } from "./dom.js";
import { counted } from "./format.js";

const SHOWS = [["all", "All"], ["unnamed", "Unnamed"], ["named", "Named"], ["new", "New"], ["uncertain", "Uncertain"], ["ignored", "Ignored"]];
const SORTS = [["faces", "Most faces"], ["name", "Name"], ["new", "Newest"], ["uncertain", "Most unsure"], ["cohesion", "Loosest"]];
const PAUSE = 140; // milliseconds after the last letter

/**
 * Search, filter and sort of the wall.
 * @typedef {{show: string, sort: string, search: string}} Settings
 * @param {Settings} settings
 * @param {(change: Partial<Settings>) => void} change
 */
export function wallTools(settings, change) {
  let timer = 0;
  const search = /** @type {HTMLInputElement} */ (h("input", { type: "search", class: "field search-field", placeholder: "Search", "aria-label": "Search for a person", "aria-keyshortcuts": "/", value: settings.search, spellcheck: "false" }));
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => change({ search: search.value.trim() }), PAUSE);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !search.value) search.blur();
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      /** @type {HTMLElement|null} */ (document.querySelector(".grid [role=gridcell][tabindex='0']"))?.focus();
    }
  });
  const chips = SHOWS.map(([value, words]) => {
    const chip = h("button", { type: "button", class: "chip", text: words, "aria-pressed": String(settings.show === value) });
    chip.addEventListener("click", () => pickChip(value));
    chip.dataset.value = value;
    return chip;
  });
  const pickChip = (/** @type {string} */ value) => {
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.value === value));
    change({ show: value });
  };
  const sort = h("select", { class: "field", "aria-label": "Sort by" }, ...SORTS.map(([value, words]) => h("option", { value, text: words, selected: settings.sort === value })));
  sort.addEventListener("change", () => change({ sort: sort.value }));
  const total = h("p", { class: "tools-count" });
  const element = h("div", { class: "tools", "data-sticky": "", role: "search", "aria-label": "People" },
    h("div", { class: "search-box" }, icon("search"), search, h("kbd", { text: "/", "aria-hidden": "true" })),
    h("div", { class: "chips", role: "group", "aria-label": "Show" }, ...chips),
    total,
    h("label", { class: "sort" }, h("span", { text: "Sort" }), sort),
  );
  return {
    element,
    focus: () => search.select(),
    count: (/** @type {number} */ n) => {
      total.textContent = counted(n, "person");
    },
    reset: () => {
      search.value = "";
      for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.value === "all"));
      change({ search: "", show: "all" });
    },
  };
}
