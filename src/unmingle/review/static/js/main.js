import { redo, undo } from "./actions.js";
import { get } from "./api.js";
import { number } from "./format.js";
import { openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { bind, keymaps, listen } from "./keyboard.js";
import { mount as history } from "./pages/history.js";
import { mount as leftOut } from "./pages/left-out.js";
import { mount as people } from "./pages/people.js";
import { mount as person } from "./pages/person.js";
import { mount as questions } from "./pages/questions.js";
import { mount as timeline } from "./pages/timeline.js";
import { go, startRouter } from "./router.js";
import { emit, on, refreshFacts, session, setQuestions } from "./session.js";

const SHOWN = /** @type {Record<string, string>} */ ({
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space", "Shift+?": "?",
});
const MOD = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";

bind({
  title: "Everywhere",
  bindings: [
    { keys: ["Mod+z"], words: "Undo", run: () => undo(), anywhere: true },
    { keys: ["Mod+Shift+z", "Mod+y"], words: "Redo", run: () => redo(), anywhere: true },
    { keys: ["g p"], words: "Go to people", run: () => go("/") },
    { keys: ["g s"], words: "Go to suggestions", run: () => go("/questions") },
    { keys: ["g l"], words: "Go to what was left out", run: () => go("/left-out") },
    { keys: ["g t"], words: "Go to the timeline", run: () => go("/timeline") },
    { keys: ["g h"], words: "Go to the history", run: () => go("/history") },
    { keys: ["?"], words: "Show the keys", run: showKeys },
  ],
});
listen();
startBar();
startRouter([
  { pattern: /^\/$/, tab: "people", mount: people },
  { pattern: /^\/people\/(\d+)\/?$/, tab: "people", mount: person },
  { pattern: /^\/questions\/?$/, tab: "questions", mount: questions },
  { pattern: /^\/left-out\/?$/, tab: "left-out", mount: leftOut },
  { pattern: /^\/timeline\/?$/, tab: "timeline", mount: timeline },
  { pattern: /^\/history\/?$/, tab: "history", mount: history },
]);

/** How many suggestions there are is no hurry: faces come first. */
async function askLater() {
  await refreshFacts();
  if (session.questions !== null) return;
  const answer = await get("/questions", { limit: 1 });
  if (session.questions === null) setQuestions(answer.left);
}

/** Another tab or the command line may have decided meanwhile. */
async function lookAgain() {
  const before = session.library?.revision;
  await refreshFacts();
  if (before !== undefined && before !== session.library.revision) emit("changed", null);
}

setTimeout(() => askLater().catch(() => {}), 150);
addEventListener("focus", () => lookAgain().catch(() => {}));

/** The header: numbers beside the tabs, undo, redo and keys. */
function startBar() {
  tool("undo").addEventListener("click", () => undo());
  tool("redo").addEventListener("click", () => redo());
  tool("keys").addEventListener("click", showKeys);
  tool("keys").title = "Keys (?)";
  on("facts", draw);
}

function tool(/** @type {string} */ name) {
  return /** @type {HTMLButtonElement} */ (document.querySelector(`[data-tool=${name}]`));
}

function draw() {
  const library = session.library;
  count("people", library ? library.people : null);
  count("left-out", library ? library.left_out : null);
  count("questions", session.questions);
  const timeline = /** @type {HTMLElement} */ (document.querySelector("[data-tab=timeline]"));
  timeline.hidden = !library?.recordings && location.pathname !== "/timeline";
  offer(tool("undo"), "Undo", session.undoable);
  offer(tool("redo"), "Redo", session.redoable);
}

function count(/** @type {string} */ tab, /** @type {number|null} */ value) {
  const place = document.querySelector(`[data-count=${tab}]`);
  if (place) place.textContent = value ? number(value) : "";
}

function offer(/** @type {HTMLButtonElement} */ tool, /** @type {string} */ verb, /** @type {import("./session.js").Decision|null} */ decision) {
  tool.disabled = !decision;
  const words = decision ? `${verb}: ${decision.words}` : verb;
  tool.setAttribute("aria-label", words);
  tool.title = words;
}

/** A key as on the keyboard. @param {string} key */
function caps(key) {
  return key.split(" ").flatMap((press) => press.split("+").map((part) => part || "+")).map((part) => {
    const shown = SHOWN[part] ?? (part === "Mod" ? MOD : part.length === 1 ? part.toUpperCase() : part);
    return h("kbd", { text: shown });
  });
}

/** @param {string[]} keys @returns {Node[]} */
function row(keys) {
  return keys.flatMap((key, at) => [at ? h("span", { class: "or", text: "or" }) : null, ...caps(key)]).filter((node) => node !== null);
}

/** Shows the keys that work now. */
function showKeys() {
  /** @type {(value?: string|null) => void} */ let close = () => {};
  const sections = keymaps().filter((map) => map.bindings.length).reverse().map((map) =>
    h("section", { class: "keys-part" },
      h("h3", { text: map.title }),
      h("dl", {}, ...map.bindings.filter((binding) => binding.words).map((binding) =>
        h("div", {}, h("dt", { text: binding.words }), h("dd", {}, ...row(binding.keys))),
      )),
    ),
  );
  const done = button("Close", { onclick: () => close(), primary: true, attrs: { autofocus: true } });
  ({ close } = openDialog({ title: "Keys", class: "dialog-wide", body: [h("div", { class: "keys-sheet" }, ...sections)], foot: [done] }));
}
