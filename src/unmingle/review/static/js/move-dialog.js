import { get } from "./api.js";
import { openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { suggestions } from "./suggestions.js";

/**
 * Asks for a person.
 * @param {{title: string, without?: number|null, allowNew?: boolean}} options
 * @returns {Promise<{person: number}|{name: string}|null>} name: a new person, called so (or not at all, if empty)
 */
export async function askPerson({ title, without = null, allowNew = false }) {
  /** @type {any} */
  let result = null;
  /** @type {(value?: string|null) => void} */
  let close = () => {};
  const finish = (/** @type {any} */ value) => {
    result = value;
    close();
  };
  const input = /** @type {HTMLInputElement} */ (h("input", { class: "field", type: "search", "aria-label": "Search for a person", placeholder: "Type a name", autofocus: true, spellcheck: "false" }));
  const find = async (/** @type {string} */ text) => {
    const { people } = await get("/people", { search: text, sort: "faces", limit: 12 });
    return people.filter((/** @type {any} */ person) => person.person !== without);
  };
  const list = suggestions({ input, find, pick: (person) => finish({ person: person.person }), label: "People", eager: true });
  const fresh = button("New person", { onclick: () => finish({ name: input.value.trim() }) });
  const words = () => {
    const name = input.value.trim();
    /** @type {HTMLElement} */ (fresh.querySelector("span")).textContent = name ? `New person “${name}”` : "New person";
  };
  input.addEventListener("input", words);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    list.refresh().then(() => {
      const person = list.marked();
      if (person) finish({ person: person.person });
      else if (allowNew && input.value.trim()) finish({ name: input.value.trim() });
    });
  });
  list.list.classList.add("suggestions-open");
  const nothing = h("p", { class: "quiet nothing", text: "Nobody is called that." });
  const foot = [button("Cancel", { onclick: () => close() })];
  if (allowNew) foot.push(fresh);
  const dialog = openDialog({ title, body: [input, list.list, nothing], foot, class: "dialog-people" });
  close = dialog.close;
  list.refresh();
  await dialog.closed;
  return result;
}
