import { get } from "./api.js";
import { faceImages } from "./cells.js";
import { decideTogether } from "./decisions.js";
import { errorState, openDialog } from "./dialogs.js";
import { announce, button, h } from "./dom.js";
import { counted, likely } from "./format.js";

/** Shows what a person may consist of: each part that is ticked becomes somebody of their own. @param {number} person @param {string} who */
export async function breakUp(person, who) {
  /** @type {Schemas["Parts"]|null} */ let now = null;
  const range = h("input", { type: "range", min: 2, max: 24, value: 2, "aria-label": "Parts", autofocus: true });
  const list = h("ul", { class: "bulk parts" });
  const chosen = () => [...list.querySelectorAll("input:checked")].map((box) => now?.parts[Number(/** @type {HTMLInputElement} */ (box).value)].faces);
  const meant = await openDialog(`What is ${who} made of?`, (close) => {
    const act = button("Take apart", { primary: true, onclick: () => close(chosen()), attrs: { disabled: true } });
    const tell = () => {
      act.disabled = !chosen().length;
      act.firstElementChild?.replaceChildren(chosen().length ? `Take ${counted(chosen().length, "part")} apart` : "Take apart");
    };
    const load = async (/** @type {string} */ count) => {
      try {
        now = await get(`/people/${person}/parts`, { count });
        range.value = String(now?.parts.length);
        list.replaceChildren(...(now?.parts ?? []).map(row));
        announce(counted(list.childElementCount, "part"));
      } catch (error) {
        list.replaceChildren(errorState(error, () => load(count)));
      }
      tell();
    };
    range.addEventListener("change", () => load(range.value));
    list.addEventListener("change", tell);
    void load("");
    const words = h("p", { class: "quiet", text: "Tick what is somebody else. Each part that is ticked becomes a person." });
    return { body: [words, h("label", { class: "doubts" }, "Fewer parts", range, "more"), list], foot: [button("Cancel", { onclick: () => close() }), act] };
  }, "dialog-wide");
  if (meant) await decideTogether(meant.map((/** @type {number[]} */ faces) => ({ kind: "split", faces })), /** @type {any} */ (now).revision, (taken) => `Took ${counted(taken, "part")} out of ${who}.`);
}

/** @param {Schemas["Part"]} part @param {number} at */
const row = ({ faces, show, likely: chance }, at) =>
  h("li", {}, h("label", {},
    at ? h("input", { type: "checkbox", value: at, "aria-label": `Part ${at + 1}, ${counted(faces.length, "face")}` }) : h("span", { class: "quiet", text: "Stays" }),
    h("div", {}, ...faceImages(show)),
    h("span", {}, counted(faces.length, "face"), at && likely(chance) ? h("small", { text: `${likely(chance)} likely the same` }) : ""),
  ));
