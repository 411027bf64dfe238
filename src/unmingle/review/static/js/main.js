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

/** What there is to look at; with a key, G and that lead there. @type {Parameters<typeof startRouter>[0]} */
const PAGES = [
  { path: "/", tab: "people", title: "People", key: "p", mount: people },
  { path: "/people/:id", tab: "people", title: "Person", mount: person },
  { path: "/faces/:id", tab: "people", title: "Faces like this", mount: facesLike },
  { path: "/pictures/:id", tab: "people", title: "Picture", mount: picturePage },
  { path: "/naming", tab: "people", title: "Name people", key: "n", mount: naming },
  { path: "/questions", tab: "questions", title: "Suggestions", key: "s", mount: questions },
  { path: "/left-out", tab: "left-out", title: "Left out", key: "l", mount: leftOut },
  { path: "/timeline", tab: "timeline", title: "Timeline", key: "t", mount: timeline },
  { path: "/history", tab: "history", title: "History", key: "h", mount: history },
  { path: "/add", tab: "add", title: "Add pictures", key: "a", mount: add },
];

bind("Everywhere", [
  { keys: ["Mod+z"], words: "Undo", run: () => void undo(), anywhere: true },
  { keys: ["Mod+Shift+z", "Mod+y"], words: "Redo", run: () => void redo(), anywhere: true },
  ...PAGES.filter(({ key }) => key).map(({ key, title, path }) => ({ keys: [`g ${key}`], words: `Go to “${title}”`, run: () => go(path) })),
  { keys: ["hold Space"], words: "See the whole picture of a face", run: () => {} }, // see `onHold`
  { keys: ["?"], words: "Show the keys", run: showKeys },
]);
part("[data-tool=undo]").addEventListener("click", () => undo());
part("[data-tool=redo]").addEventListener("click", () => redo());
part("[data-tool=keys]").addEventListener("click", showKeys);
part("[data-tool=lock]").addEventListener("click", () => post("/lock", {}).then(() => location.reload()));
takePictures();
onHold(peek);
startRouter(PAGES);

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
