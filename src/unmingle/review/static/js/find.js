import { ask } from "./api.js";
import { faceImages } from "./cells.js";
import { openDialog } from "./dialogs.js";
import { button, h } from "./dom.js";
import { called, likely } from "./format.js";

/** Lets pictures be dropped anywhere on the page, to see who is in them. */
export function takePictures() {
  const over = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", event.type === "dragover");
    if (event.type === "drop") void find([...event.dataTransfer.files]);
  };
  for (const kind of /** @type {const} */ (["dragover", "drop"])) addEventListener(kind, over);
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
}

/** Chooses pictures of this machine. */
export function choosePictures() {
  const input = h("input", { type: "file", accept: "image/*,.heic,.heif", multiple: true });
  input.addEventListener("change", () => void find([...input.files]));
  input.click();
}

/** Says who is in pictures, one after another. Nothing of them is kept. @param {File[]} files */
async function find(files) {
  const parts = files.map((file) => h("section", {}, h("h3", { text: file.name }), h("p", { class: "quiet", text: "Looking…", role: "status" })));
  const shut = new AbortController();
  const closed = openDialog("Who is this?", (close) => ({
    body: parts,
    foot: [button("Close", { primary: true, onclick: () => close(), attrs: { autofocus: true } })],
  }), "dialog-people");
  void closed.then(() => shut.abort());
  for (const [at, file] of files.entries()) {
    const told = await ask("/find", file, shut.signal).then(faces, (error) => [h("p", { role: "alert", text: [error.message, error.mend].filter(Boolean).join(" ") })]);
    if (shut.signal.aborted) return;
    parts[at].lastElementChild.replaceWith(...told);
  }
}

/** @param {Schemas["FoundFaces"]} found */
function faces({ faces: found, left_out: leftOut }) {
  const rows = found.map(({ jpeg, nearest, sure, probability }) => {
    const who = nearest && h("a", { href: `/people/${nearest.person}`, text: called(nearest) });
    const words = sure ? [who] : ["Nobody of this library", ...(who ? [", most like ", who] : [])];
    return h("li", {}, h("img", { class: "thumb", "data-ready": "yes", src: jpeg, alt: "A face of the picture" }), h("div", {}, ...faceImages(nearest?.covers ?? [])), h("p", {}, ...words), h("span", { text: likely(probability) }));
  });
  const others = leftOut.map((why) => `Another face is compared with nobody: ${why}.`);
  if (!rows.length && !others.length) others.push("There is no face in it.");
  return [h("ul", { class: "bulk found" }, ...rows), ...others.map((text) => h("p", { class: "quiet", text }))];
}
