import { get, post } from "./api.js";
import { faceImages } from "./cells.js";
import { tell } from "./decisions.js";
import { closing, errorState, fillIn, openDialog, showDock } from "./dialogs.js";
import { announce, button, called, counted, h, likely, number, percent } from "./dom.js";

const PAUSE = 1000; // milliseconds between two looks at how far it is
const FIRST = 12; // people who are shown while others are looked for
const STAGES = /** @type {Record<string, (run: Schemas["Run"]) => string>} */ ({
  read: () => "Starting",
  analyse: ({ done, total }) => `${number(done)} of ${counted(total, "picture")} looked at`,
  watch: ({ done, total }) => `${percent(total ? done / total : 0)} of the recordings watched`,
  cluster: () => "Sorting the faces",
  write: () => "Writing tables and sheets",
});

/** Folders of this machine are chosen here, and how far their pictures are is shown. @type {Mount} */
export function add(root, { signal }) {
  /** @type {Map<string, string>} path and what it is called */ const chosen = new Map();
  /** @type {boolean|undefined} whether a run was seen going */ let running;
  let shown = -1; // people of whom the first are shown
  const intro = h("p", { class: "naming-who" });
  // What shows how far it is stays: it is told to who listens, and Stop keeps the focus.
  const [said, bar, mend] = [h("p"), h("progress"), h("p", { class: "log-about" })];
  const stop = button("Stop", { onclick: () => post("/sources/stop", {}).then(() => look()) });
  const progress = h("section", { class: "run", "aria-live": "polite", hidden: true }, said, bar, mend, stop);
  const firsts = h("div", { class: "run-people" });
  const known = h("section", { class: "sources" });
  const chooser = h("section", { class: "folders" });
  const places = h("div", { class: "folders-way" });
  const typed = h("input", { class: "field", type: "text", placeholder: "/path/to/pictures", "aria-label": "Path of a folder", spellcheck: "false" });
  const listing = h("div");
  const enter = (/** @type {Event} */ event) => {
    event.preventDefault();
    void list(encodeURI(typed.value.trim()).replaceAll(/[?#]/g, encodeURIComponent));
  };
  root.append(h("h1", { class: "page-title", text: "Add pictures" }), intro, progress, firsts, known, chooser);
  chooser.append(h("h2", { text: "Choose folders" }), places, h("form", { class: "folders-path", onsubmit: enter }, typed, button("Open", { onclick: enter })), listing);

  /** How far it is, and again as long as it goes on. @param {boolean} [first] */
  async function look(first) {
    const told = await get("/sources", {}, signal);
    const { run } = told;
    const going = run?.state === "running";
    intro.textContent = `Pictures stay where they are. What is found is kept in ${told.library}; nothing leaves this machine.`;
    if (first) {
      places.replaceChildren(...told.places.map((/** @type {any} */ one) => button(one.title, { onclick: () => list(one.path) })));
      if (told.places.length) void list(told.places[0].path);
    }
    known.replaceChildren(...(told.sources.length ? [
      h("h2", { text: "Added so far" }),
      h("ul", {}, ...told.sources.map((/** @type {any} */ one) => h("li", { text: one.title }))),
      button("Look there for new pictures", { onclick: () => begin([]), attrs: { disabled: going } }),
    ] : []));
    draw(run);
    if (running && !going) announce(run?.state === "done" ? "All pictures are sorted." : "It ended.");
    running = going;
    if (run?.people && run.people !== shown) {
      shown = run.people;
      void meet();
    }
    if (going) lookAgain();
  }

  /** The library may be busy at the moment. */
  function lookAgain() {
    if (!signal.aborted) setTimeout(() => look().catch(lookAgain), PAUSE);
  }

  function draw(/** @type {Schemas["Run"]|null} */ run) {
    chooser.hidden = run?.state === "running";
    pick();
    progress.hidden = !run;
    if (!run) return;
    const going = run.state === "running";
    const words = going ? STAGES[run.stage]?.(run) ?? run.stage
      : run.state === "done" ? `Done: ${counted(run.people, "person")}`
      : run.state === "stopped" ? "Stopped. What was found is kept; added again, it goes on from there." : run.problem;
    if (said.textContent !== words) said.textContent = words;
    bar.hidden = stop.hidden = !going;
    bar.setAttribute("aria-label", words);
    if (run.total) [bar.max, bar.value] = [run.total, run.done];
    else bar.removeAttribute("value");
    mend.textContent = run.mend;
  }

  /** The first people, as soon as they are there. */
  async function meet() {
    const { total, people } = await get("/people", { limit: FIRST }, signal);
    const faces = people.map((/** @type {Schemas["ShownPerson"]} */ { person, covers }) => h("a", { href: `/people/${person}`, target: "_self", "aria-label": `Person ${person}` }, ...faceImages(covers.slice(0, 1))));
    // All else was begun without a library, perhaps: it is loaded anew.
    const names = h("a", { class: "button primary", href: "/naming", target: "_self", text: "Name them" });
    const line = total ? running && `${counted(total, "person")} so far` : "Nobody is there twice yet.";
    firsts.replaceChildren(...(line ? [h("p", { text: line })] : []), h("div", { class: "run-faces" }, ...faces), ...(total ? [names] : []));
  }

  const begin = (/** @type {string[]} */ sources) => post("/sources", { sources }).then(() => {
    chosen.clear();
    for (const box of listing.querySelectorAll("input")) box.checked = false;
    shown = -1;
    firsts.replaceChildren();
    progress.scrollIntoView({ block: "nearest" });
    return look();
  }).catch(tell);

  /** Shows what lies in a folder. @param {string} path */
  const list = (path) => fillIn(listing, async () => {
    const { here, above, folders } = await get("/folders", { folder: path }, signal);
    const way = above.map((/** @type {any} */ one) => button(one.title, { onclick: () => list(one.path), class: "quiet-button" }));
    typed.value = [...above, here].map(({ title }) => title).join("/").replaceAll(/[\\/]+/g, "/");
    listing.replaceChildren(
      h("nav", { class: "folders-way", "aria-label": "Folders above" }, ...way),
      h("ul", { class: "folders-list" }, row({ ...here, title: `All of ${here.title}` }), ...folders.map((/** @type {any} */ one) => row(one, true))),
    );
  });

  /** A folder to choose, and to look into. @param {Schemas["Folder"]} folder @param {boolean} [within] */
  function row({ path, title, pictures }, within = false) {
    const choose = (/** @type {Event} */ { target }) => {
      if (/** @type {HTMLInputElement} */ (target).checked) chosen.set(path, title);
      else chosen.delete(path);
      pick();
    };
    return h("li", {},
      h("label", {}, h("input", { type: "checkbox", checked: chosen.has(path), onchange: choose }), h("span", { text: title })),
      h("span", { class: "log-about", text: pictures ? counted(pictures, "picture") : "" }),
      within && button("Look in", { onclick: () => list(path), class: "quiet-button", attrs: { "aria-label": `Look in ${title}` } }),
    );
  }

  function pick() {
    const words = chosen.size === 1 ? [...chosen.values()][0] : counted(chosen.size, "folder");
    const act = { words: "Sort the faces", run: () => begin([...chosen.keys()]), primary: true };
    showDock(words, chosen.size && !running ? [act] : []);
  }

  look(true).catch((error) => signal.aborted || root.replaceChildren(errorState(error, () => location.reload())));
  return {};
}

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
  input.addEventListener("change", () => void find([...(input.files ?? [])]));
  input.click();
}

/** Says who is in pictures, one after another. Nothing of them is kept. @param {File[]} files */
async function find(files) {
  const parts = files.map((file) => h("section", {}, h("h3", { text: file.name }), h("p", { class: "quiet", text: "Looking…", role: "status" })));
  const shut = new AbortController();
  void openDialog("Who is this?", parts, [closing()], "dialog-steady").then(() => shut.abort());
  for (const [at, file] of files.entries()) {
    const told = await post("/find", file, shut.signal).then(faces, (error) => [h("p", { role: "alert", text: error.words ?? error.message })]);
    if (shut.signal.aborted) return;
    parts[at].lastElementChild?.replaceWith(...told);
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
