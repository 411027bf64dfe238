import { add, takePictures } from "./add.js";
import { decided, get, onDecision, post, session } from "./api.js";
import { redo, undo } from "./decisions.js";
import { closing, openDialog } from "./dialogs.js";
import { h, number } from "./dom.js";
import { peek, picturePage } from "./face-view.js";
import { history } from "./history.js";
import { bind, keymaps, onHold } from "./keyboard.js";
import { facesLike, leftOut } from "./loose-faces.js";
import { naming } from "./naming.js";
import { people } from "./people.js";
import { person } from "./person.js";
import { questions } from "./questions.js";
import { go, startRouter } from "./router.js";
import { timeline } from "./timeline.js";

/** A part of the header. @param {string} selector @returns {any} */
const part = (selector) => document.querySelector(selector);

bind("Everywhere", [
  { keys: ["Mod+z"], words: "Undo", run: () => void undo(), anywhere: true },
  { keys: ["Mod+Shift+z", "Mod+y"], words: "Redo", run: () => void redo(), anywhere: true },
  { keys: ["g p"], words: "Go to people", run: () => go("/") },
  { keys: ["g n"], words: "Name people, one after another", run: () => go("/naming") },
  { keys: ["g s"], words: "Go to suggestions", run: () => go("/questions") },
  { keys: ["g l"], words: "Go to what was left out", run: () => go("/left-out") },
  { keys: ["g t"], words: "Go to the timeline", run: () => go("/timeline") },
  { keys: ["g h"], words: "Go to the history", run: () => go("/history") },
  { keys: ["g a"], words: "Add pictures", run: () => go("/add") },
  { keys: ["hold Space"], words: "See the whole picture of a face", run: () => {} }, // see `onHold`
  { keys: ["?"], words: "Show the keys", run: showKeys },
]);
part("[data-tool=undo]").addEventListener("click", () => undo());
part("[data-tool=redo]").addEventListener("click", () => redo());
part("[data-tool=keys]").addEventListener("click", showKeys);
part("[data-tool=lock]").addEventListener("click", () => post("/lock", {}).then(() => location.reload()));
part("[data-tool=keys]").title = "Keys (?)";
takePictures();
onHold(peek);
startRouter([
  { pattern: /^\/$/, tab: "people", title: "People", mount: people },
  { pattern: /^\/people\/(\d+)\/?$/, tab: "people", title: "Person", mount: person },
  { pattern: /^\/faces\/(\d+)\/?$/, tab: "people", title: "Faces like this", mount: facesLike },
  { pattern: /^\/pictures\/(\d+)\/?$/, tab: "people", title: "Picture", mount: picturePage },
  { pattern: /^\/naming\/?$/, tab: "people", title: "Name people", mount: naming },
  { pattern: /^\/questions\/?$/, tab: "questions", title: "Suggestions", mount: questions },
  { pattern: /^\/left-out\/?$/, tab: "left-out", title: "Left out", mount: leftOut },
  { pattern: /^\/timeline\/?$/, tab: "timeline", title: "Timeline", mount: timeline },
  { pattern: /^\/history\/?$/, tab: "history", title: "History", mount: history },
  { pattern: /^\/add\/?$/, tab: "add", title: "Add pictures", mount: add },
]);

const PAUSE = 2000; // milliseconds between two looks

/** Others may have decided meanwhile, in another tab or on the command line: that appears by itself. */
async function look() {
  const library = await get("/library").catch(() => null);
  if (!library || library.revision < (session.library?.revision ?? 0)) return; // it was overtaken by a later answer
  session.library = library;
  draw();
  if (session.told !== library.revision) decided(null);
}

/** Where somebody sees the page. */
async function keepLooking() {
  if (!document.hidden) await look();
  setTimeout(keepLooking, PAUSE);
}

onDecision((outcome) => {
  session.told = outcome?.decision.id ?? session.library?.revision ?? session.told;
  void look();
});
addEventListener("focus", look);
setTimeout(keepLooking, 150); // faces come first

/** The header: numbers beside the tabs, undo and redo. */
function draw() {
  if (!part(".tabs")) return; // the page asks for a key meanwhile
  const { library } = session;
  for (const [tab, value] of Object.entries({ people: library?.people, "left-out": library?.left_out, questions: library?.questions })) {
    part(`[data-count=${tab}]`).textContent = value ? number(value) : "";
  }
  part("[data-tool=lock]").hidden = !library?.encrypted;
  part("[data-tab=timeline]").hidden = !library?.recordings && location.pathname !== "/timeline";
  for (const [verb, decision] of Object.entries({ Undo: library?.to_undo, Redo: library?.to_redo })) {
    const tool = part(`[data-tool=${verb.toLowerCase()}]`);
    tool.disabled = !decision;
    tool.title = decision ? `${verb}: ${decision}` : verb;
    tool.setAttribute("aria-label", tool.title);
  }
}

const SHOWN = /** @type {Record<string, string>} */ ({
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
  Mod: /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl",
});

/** Keys as on the keyboard. @param {string[]} keys @returns {Node[]} */
const caps = (keys) =>
  keys.flatMap((key, at) => [
    ...(at ? [h("span", { class: "or", text: "or" })] : []),
    ...key.split(/[ +]/).map((part) => h("kbd", { text: SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part) })),
  ]);

/** Shows the keys that work now. */
function showKeys() {
  const sections = keymaps.toReversed().map(({ title, bindings }) =>
    h("section", { class: "keys-part" },
      h("h3", { text: title }),
      h("dl", {}, ...bindings.map(({ keys, words }) => h("div", {}, h("dt", { text: words }), h("dd", {}, ...caps(keys))))),
    ));
  void openDialog("Keys", [h("div", { class: "keys-sheet" }, ...sections)], [closing()], "dialog-wide");
}
