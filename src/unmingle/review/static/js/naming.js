import { get, onDecision, thumbnail } from "./api.js";
import { choice, mosaic } from "./cells.js";
import { decide, inTurn, undo } from "./decisions.js";
import { emptyState, errorState, linkButton } from "./dialogs.js";
import { announce, button, called, counted, h, number, spans } from "./dom.js";
import { bind, keyOf } from "./keyboard.js";
import { asNamed, nameField } from "./names.js";
import { go } from "./router.js";

const LOAD = 1000; // people asked for at once
const SHOWN = 9; // faces of a person
const CHOICES = 3; // people who are proposed

/** People without a name, one after another, who has most faces first. @type {Mount} */
export function naming(root, { signal }) {
  /** @type {any[]} everybody whose turn came or comes */ let queue = [];
  let at = 0;
  let total = 0; // who had no name at the beginning
  let way = 1; // to whom it goes on from somebody who is gone
  let seen = 0; // the revision of those in the queue
  /** @type {Set<number>} who was named here, or is nobody to be named */ const done = new Set();
  /** @type {Map<number, Promise<number[]>>} the faces of those whose turn is next */ const ready = new Map();
  /** @type {ReturnType<typeof nameField>|null} */ let field = null;
  /** @type {Known[]} who this may be, as far as it is on show */ let choices = [];
  const progress = h("p", { class: "question-progress" });
  const place = h("div", { class: "naming" });
  root.append(h("h1", { class: "unseen", text: "Name people" }), progress, place);

  /** The faces that stand for a person, then the best. @param {any} person */
  function facesOf(person) {
    const id = person.person;
    const found = ready.get(id) ?? get(`/people/${id}/faces`, { sort: "quality", limit: SHOWN }).then(({ faces }) => {
      const shown = [...new Set([...person.covers, ...faces.map((/** @type {any} */ { face }) => face)])].slice(0, SHOWN);
      for (const face of shown) new Image().src = thumbnail(face);
      return shown;
    });
    ready.set(id, found);
    found.catch(() => ready.delete(id));
    return found;
  }

  /** More people, after all that was said is done: who was passed over is still among those without a name. */
  const more = () => inTurn(async () => {
    const offset = queue.filter(({ person }) => !done.has(person)).length;
    const page = await get("/people", { show: "unnamed", sort: "faces", offset, limit: LOAD });
    if (!queue.length) total = page.total;
    seen = Math.max(seen, page.revision);
    const known = new Set(queue.map(({ person }) => person));
    queue.push(...page.people.filter((/** @type {any} */ { person }) => !known.has(person)));
  });

  /** Somebody who is known is there at once: the next letter is theirs. @param {number} to */
  async function show(to) {
    field = null;
    choices = [];
    at = to;
    const here = () => !signal.aborted && to === at;
    try {
      if (to >= queue.length) await more();
      if (!here()) return;
      progress.replaceChildren(...spans(`${number(Math.max(0, total - done.size))} without a name`, done.size && `${number(done.size)} done`));
      const person = queue[to];
      if (!person) return place.replaceChildren(nothing());
      draw(asNamed(person, seen), true);
      void propose(person.person, here);
      for (const next of queue.slice(to + 1, to + 4)) facesOf(next).catch(() => {});
      const shown = await facesOf(person);
      if (here()) place.querySelector(".question-faces")?.replaceWith(mosaic(shown));
    } catch (error) {
      if (!here()) return;
      if (/** @type {any} */ (error).status === 404) return leave(way); // merged, or nobody's any more
      place.replaceChildren(errorState(error, () => show(to)));
    }
  }

  function leave(/** @type {number} */ step) {
    way = at + step < 0 ? 1 : step;
    void show(Math.max(0, at + step));
  }

  const nothing = () => {
    const passed = queue.length - done.size;
    const words = passed ? `${counted(passed, "person")} had no name when you passed them.` : "There is nobody left to name.";
    const state = emptyState(passed ? "That was everybody" : "Nobody is without a name", words, linkButton("All people", "/"));
    const again = () => {
      queue = [];
      done.clear();
      void show(0);
    };
    if (passed) state.append(button("From the start", { onclick: again }));
    return state;
  };

  function draw(/** @type {any} */ person, /** @type {boolean} */ focus) {
    const mine = at;
    field = nameField({
      person,
      quick: true,
      focus,
      seen: () => seen,
      again: () => mine < at && show(mine),
      done: ({ to, said }) => {
        field = null;
        if (said) done.add(person.person);
        if (signal.aborted) return;
        if (to === "here") go("/");
        else if (to === "elsewhere") draw(asNamed(person, seen), false);
        else leave(to === "next" ? 1 : -1);
      },
    });
    const acts = BINDINGS.slice(1).map(({ keys, words, run }) => button(words, { key: keys[0], class: "quiet-button", onclick: /** @type {any} */ (run) }));
    place.replaceChildren(
      mosaic(person.covers),
      h("p", { class: "naming-who" }, h("a", { href: `/people/${person.person}`, text: called({ person: person.person }) }), ` · ${counted(person.faces, "face")}`),
      field.element,
      h("div", { class: "naming-choices", role: "group", "aria-label": "Most like" }),
      h("div", { class: "naming-acts" }, ...acts),
    );
    announce(`${called(person)}, ${counted(person.faces, "face")}`);
  }

  /** Who of those with a name it may be, once all is known that was said before. @param {number} person @param {() => boolean} here */
  async function propose(person, here) {
    const { people } = await inTurn(() => get("/alike", { person, show: "named", limit: CHOICES })).catch(() => ({ people: [] }));
    if (!here()) return;
    choices = people.filter((/** @type {Known} */ one) => (one.probability ?? 0) >= 0.01);
    const row = place.querySelector(".naming-choices");
    row?.replaceChildren(...choices.map((one, index) =>
      choice("button", { type: "button", "aria-keyshortcuts": String(index + 1), onclick: () => same(index) }, one, h("kbd", { "aria-hidden": "true", text: String(index + 1) }))));
  }

  /** Says something else of the person than a name. @param {(person: number) => any} about */
  async function say(about) {
    const mine = at;
    if (!field) return;
    const { person } = queue[mine];
    done.add(person);
    leave(1);
    if (await decide(about(person), seen)) return;
    done.delete(person);
    void show(mine);
  }

  function same(/** @type {number} */ index) {
    const other = choices[index];
    if (other) void say((person) => ({ kind: "merge", person: other.person, others: [person] }));
  }

  /** @type {Binding[]} */
  const BINDINGS = [
    { keys: ["1", "2", "3"], words: "The same as the first, second, third", run: ({ key }) => same(Number(key) - 1) },
    { keys: ["0"], words: "Ignore", run: () => void say((person) => ({ kind: "ignore", person })) },
    { keys: ["Tab"], words: "Next", run: () => leave(1) },
    { keys: ["Shift+Tab"], words: "Back", run: () => leave(-1) },
  ];
  // In a field that is empty these keys are no letters of a name.
  place.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (!(event.target instanceof HTMLInputElement) || event.target.value) return;
    const key = keyOf(event);
    const act = key === "Mod+z" ? () => undo() : BINDINGS.slice(0, 2).find(({ keys }) => keys.includes(key))?.run;
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) act(event);
  }, true);
  // What is pressed takes the focus from nobody who types.
  place.addEventListener("pointerdown", (/** @type {Event} */ event) => event.target instanceof Element && event.target.closest("button") && event.preventDefault());
  bind("Name people", BINDINGS, signal);
  /** Whoever a decision is taken back about has their turn again: now, or from the start, if a name is being typed. */
  onDecision((outcome) => {
    if (outcome?.decision.kind !== "undo") return;
    const back = queue.findLastIndex(({ person }, index) => index <= at && done.has(person) && outcome.decision.changed.people.includes(person));
    if (back < 0) return;
    done.delete(queue[back].person);
    if (!place.querySelector("input")?.value) void show(back);
  }, signal);
  signal.addEventListener("abort", () => field?.save("elsewhere"));
  void show(0);
  return {};
}
