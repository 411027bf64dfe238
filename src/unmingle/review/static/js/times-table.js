import { announce, button, h } from "./dom.js";
import { baseName, called, number, timecode } from "./format.js";
import { toast } from "./toasts.js";

const COLUMNS = ["Person", "From", "To", "Seconds", "Seen"];

/**
 * The same times in words and numbers, made once somebody opens it: for who does not see bars, and for copying.
 * @param {any} facts a recording of /api/timeline
 * @returns {HTMLElement}
 */
export function timesTable(facts) {
  const name = baseName(facts.file);
  const element = h("details", { class: "times" }, h("summary", { "aria-label": `Times in ${name} as a table`, text: "Times as a table" }));
  element.addEventListener("toggle", () => {
    if (element.childElementCount > 1) return;
    const copy = button("Copy", { onclick: () => copyRows(facts) });
    // Where others in the network may look, browsers give no clipboard.
    if (!navigator.clipboard) copy.hidden = true;
    element.append(h("div", { class: "times-table", role: "region", tabindex: "0", "aria-label": `Times in ${name}` }, table(facts)), copy);
  });
  return element;
}

/** @param {any} facts */
function rowsOf(facts) {
  return facts.people.flatMap((/** @type {any} */ one) =>
    one.intervals.map((/** @type {any} */ time) => [
      called(one),
      timecode(time.start, 1),
      timecode(time.end, 1),
      (time.end - time.start).toFixed(1),
      number(time.faces),
    ]));
}

/** @param {any} facts */
function table(facts) {
  const rows = rowsOf(facts).map(([who, ...rest]) => h("tr", {}, h("th", { scope: "row", text: who }), ...rest.map((/** @type {string} */ text) => h("td", { text }))));
  return h("table", {},
    h("caption", { class: "unseen", text: `Who is on screen when in ${baseName(facts.file)}` }),
    h("thead", {}, h("tr", {}, ...COLUMNS.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...rows),
  );
}

/** @param {any} facts */
async function copyRows(facts) {
  const rows = [COLUMNS, ...rowsOf(facts)];
  try {
    await navigator.clipboard.writeText(rows.map((row) => row.join("\t")).join("\n"));
    toast("Copied: paste it into a sheet.");
    announce("Copied");
  } catch {
    toast("The browser does not let the page copy. Select the rows instead.");
  }
}
