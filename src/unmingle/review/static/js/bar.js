import { redo, undo } from "./actions.js";
import { number } from "./format.js";
import { showKeys } from "./keys-sheet.js";
import { on, session } from "./session.js";

/** The header: numbers beside the tabs, undo, redo and keys. */
export function startBar() {
  tool("undo").addEventListener("click", () => undo());
  tool("redo").addEventListener("click", () => redo());
  tool("keys").addEventListener("click", showKeys);
  tool("keys").title = "Keys (?)";
  on("facts", draw);
}

/** @param {string} name @returns {HTMLButtonElement} */
const tool = (name) => /** @type {HTMLButtonElement} */ (document.querySelector(`[data-tool=${name}]`));

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

/** @param {string} tab @param {number|null} value */
function count(tab, value) {
  const place = document.querySelector(`[data-count=${tab}]`);
  if (place) place.textContent = value ? number(value) : "";
}

/** @param {HTMLButtonElement} button @param {string} verb @param {import("./session.js").Decision|null} decision */
function offer(button, verb, decision) {
  button.disabled = !decision;
  const words = decision ? `${verb}: ${decision.words}` : verb;
  button.setAttribute("aria-label", words);
  button.title = words;
}
