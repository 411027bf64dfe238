import { button, h, icon } from "./dom.js";
import { called, counted, number } from "./format.js";
import { nameField } from "./name-field.js";
import { go } from "./router.js";

const SORTS = [["time", "Time", "T"], ["quality", "Quality", "Q"], ["unsure", "Least sure", "U"]];

/**
 * The name, the numbers and the order of a person's page.
 * @param {{sort: string, onSort: (sort: string) => void, seen: () => number|null, onMerge: () => void, onIgnore: () => void}} options
 */
export function personHead({ sort, onSort, seen, onMerge, onIgnore }) {
  /** @type {any} */
  let person = null;
  const title = h("h1", { class: "person-name" });
  const facts = h("p", { class: "person-facts" });
  const ignore = button("Ignore", { onclick: onIgnore, class: "quiet-button" });
  const orders = SORTS.map(([value, words, key]) => {
    const order = button(words, { key, onclick: () => onSort(value), class: "segment" });
    order.dataset.value = value;
    return order;
  });
  const element = h("header", { class: "person-head", "data-sticky": "" },
    h("a", { class: "tool back", href: "/", "aria-label": "All people" }, icon("left")),
    h("div", { class: "person-title" }, title, facts),
    h("div", { class: "segments", role: "group", "aria-label": "Sort by" }, ...orders),
    h("div", { class: "person-tools" }, button("Merge with…", { onclick: onMerge, class: "quiet-button" }), ignore),
  );

  const sorted = (/** @type {string} */ now) => {
    for (const order of orders) order.setAttribute("aria-pressed", String(order.dataset.value === now));
  };

  const edit = () => {
    if (!person || title.querySelector("input")) return;
    title.replaceChildren(nameField({
      person,
      seen,
      done: ({ merged }) => {
        title.replaceChildren(nameButton());
        if (merged !== undefined) go(`/people/${merged}`, { replace: true });
      },
    }));
  };

  const nameButton = () => h("button", { type: "button", class: person.name ? "name-button" : "name-button unnamed", title: "Change the name (N)", onclick: edit }, h("span", { text: called(person) }), icon("pencil"));

  const show = (/** @type {any} */ now) => {
    person = now;
    if (!title.querySelector("input")) title.replaceChildren(nameButton());
    facts.replaceChildren(...factsOf(person));
    /** @type {HTMLElement} */ (ignore.querySelector("span")).textContent = person.ignored ? "Restore" : "Ignore";
  };

  sorted(sort);
  return { element, show, edit, sorted };
}

/** @param {any} person */
function factsOf(person) {
  const facts = [counted(person.faces, "face")];
  if (person.unsure) facts.push(`${number(person.unsure)} unsure`);
  if (person.new) facts.push(`${number(person.new)} new`);
  if (person.ignored) facts.push("ignored");
  const nodes = facts.map((words) => h("span", { text: words }));
  if (person.cohesion !== null) nodes.push(h("span", { title: "How alike the faces are to each other, on average: 1 is the most", text: `alike ${person.cohesion.toFixed(2)}` }));
  return nodes;
}
