import { faceImages } from "./cells.js";
import { copy, emptyState, linkButton } from "./dialogs.js";
import { baseName, button, called, counted, h, icon, iconButton, number, partOf, percent, spans, timecode } from "./dom.js";
import { bind } from "./keyboard.js";
import { colourOf, lane, marks, momentOf, onScreen, timeOf, walkable } from "./lanes.js";
import { endless } from "./lists.js";
import { player } from "./player.js";
import { go, setQuery } from "./router.js";

const AT_ONCE = 4; // recordings that are asked for and drawn; the next when these have been scrolled to

/** Who is on screen when, recording by recording. @type {Mount} */
export function timeline(root, visit) {
  const { query, signal } = visit;
  /** The only recording, where one is played. */ const only = query.get("recording") ?? "";
  /** @type {ReturnType<typeof player>|null} */ let playing = null;
  /** Shows where the recording is that plays. @type {(seconds: number) => void} */ let point = () => {};
  /** How closely each recording is looked at. @type {Map<number, number>} */ const zooms = new Map();
  const list = h("div", { class: "recordings" });
  const recordings = endless("/timeline", visit, {
    size: AT_ONCE,
    query: { recording: only },
    list,
    row: view,
    empty: () => only
      ? emptyState("There is no such recording", "It may have been left out of the library since.", linkButton("All recordings", "/timeline"))
      : emptyState("There are no recordings", "Give “unmingle cluster” a recording, and who is on screen when is shown here."),
  });
  const back = only && h("a", { class: "tool back", href: "/timeline", "aria-label": "All recordings" }, icon("left"));
  root.append(h("header", { class: "timeline-head" }, back, h("h1", { class: "page-title", text: "Timeline" })), list, recordings.end);

  function view(/** @type {Recording} */ recording) {
    const made = recordingView(recording, zooms, toMoment);
    if (!only) return made.element;
    point = made.point;
    if (!playing) {
      playing = player({ recording, at: Number(query.get("at")) || 0, onTime: (seconds) => point(seconds), signal });
      list.before(playing.element);
    }
    playing.show(recording.people);
    return made.element;
  }

  /** To the moment that the pointer shows, or where a bar begins. @param {MouseEvent} event @param {Recording} recording @param {DOMRect} ruler */
  function toMoment(event, { recording, duration }, ruler) {
    const target = /** @type {HTMLElement} */ (event.target);
    const bar = /** @type {HTMLElement|null} */ (target.closest(".bar-time"));
    if (event.ctrlKey || event.metaKey || event.shiftKey || (!bar && (target.closest("a") || !playing))) return;
    const at = event.detail || !bar ? Math.max(0, ((event.clientX - ruler.left) / ruler.width) * duration) : timeOf(bar).start;
    event.preventDefault();
    if (!playing) return go(momentOf(recording, at));
    playing.seek(at);
    return setQuery({ recording: only, at: at.toFixed(2) });
  }

  const toBars = () => partOf(list, '.bar-time[tabindex="0"]')?.focus();
  bind("Timeline", [{ keys: ["ArrowLeft", "ArrowRight", "Home", "End"], words: "From one time to the next", run: toBars }], signal);
  recordings.start();
  return recordings;
}

const DENSEST = 40; // pixels a second, past which nothing more is to be seen

/** A recording: a row for each person, with bars for the times on screen. zooms: times wider than the page. @type {RecordingView} */
function recordingView(recording, zooms, onclick) {
  const { people, duration, file } = recording;
  const name = baseName(file);
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" });
  const rows = h("div", { class: "track-rows" }, ...people.map((one) => row(one, recording)), !people.length && h("p", { class: "quiet nobody", text: "Nobody is on screen." }));
  const head = h("div", { class: "playhead", hidden: true });
  const wide = h("div", { class: "tracks-wide", onclick: (/** @type {MouseEvent} */ event) => onclick(event, recording, ruler.getBoundingClientRect()) }, ruler, rows, head);
  const scroller = h("div", { class: "tracks" }, wide);
  const closer = iconButton("plus", "Closer", () => zoomTo(2 * zoomed()), { title: "Closer" });
  const farther = iconButton("minus", "Farther", () => zoomTo(zoomed() / 2), { title: "Farther" });
  const tools = h("div", { class: "recording-tools", role: "group", "aria-label": `How closely ${name} is looked at` }, farther, closer);
  const element = h("section", { class: "recording", "aria-label": name },
    h("header", { class: "recording-head" },
      h("h2", { title: file, text: name }),
      h("p", { class: "person-facts" }, ...factsOf(recording)),
      tools,
    ),
    scroller,
    people.length > 0 && timesTable(recording),
  );
  const zoomed = () => zooms.get(recording.recording) ?? 1;

  function mark() {
    const width = ruler.clientWidth;
    if (!width) return;
    ruler.replaceChildren(...marks(duration, width));
    farther.disabled = zoomed() <= 1;
    closer.disabled = width / duration >= DENSEST;
    tools.hidden = farther.disabled && closer.disabled;
  }

  function apply() {
    // Not as a custom property: every bar would inherit it, and be styled anew.
    wide.style.width = `calc(var(--who) + (100% - var(--who)) * ${zoomed()})`;
    scroller.classList.toggle("zoomed", zoomed() > 1);
  }

  /** What is in the middle stays there. @param {number} to */
  function zoomTo(to) {
    const room = scroller.clientWidth - (wide.clientWidth - ruler.clientWidth);
    const middle = (scroller.scrollLeft + room / 2) / (room * zoomed());
    zooms.set(recording.recording, Math.max(1, to));
    apply();
    scroller.scrollLeft = middle * room * zoomed() - room / 2;
  }

  function point(/** @type {number} */ seconds) {
    head.hidden = false;
    head.style.left = `calc(var(--who) + (100% - var(--who)) * ${Math.min(1, seconds / duration)})`;
    const at = zoomed() > 1 ? head.offsetLeft - scroller.scrollLeft : 0; // what is looked at closely goes along
    if (at < 0 || at > scroller.clientWidth) scroller.scrollLeft = head.offsetLeft - scroller.clientWidth / 2;
  }

  walkable(rows);
  new ResizeObserver(mark).observe(ruler);
  apply();
  return { element, point };
}

/** @param {OnScreen} one @param {Recording} recording */
function row(one, { recording, duration, people }) {
  const share = Math.min(1, one.seconds / duration);
  const seconds = `${onScreen(one)} on screen, ${share < 0.01 ? "under 1%" : percent(share)}`;
  const name = called(one);
  const href = `/people/${one.person}`;
  const who = h("a", { class: "track-who", href, title: name },
    ...faceImages([one.face]),
    h("span", { class: one.name ? "track-name" : "track-name unnamed", text: name }),
    h("span", { class: "track-seconds", text: seconds }),
  );
  const label = `${name}: ${counted(one.intervals.length, "time")} on screen`;
  const barOf = (/** @type {number} */ at, /** @type {string} */ times) => h("a", { href: momentOf(recording, one.intervals[at].start), "aria-label": `${name}, ${times}` });
  const element = lane(who, one, { duration, label, barOf });
  element.style.setProperty("--time", colourOf(one.person, people));
  return element;
}

function factsOf(/** @type {Recording} */ { duration, people, width, height, files, skipped, complete }) {
  const warnings = [skipped && `${counted(skipped, "frame")} could not be decoded`, !complete && "not yet watched to its end"];
  return [
    ...spans(timecode(duration), counted(people.length, "person"), `${number(width)} × ${number(height)}`, files.length > 1 && counted(files.length, "copy", "copies")),
    ...warnings.filter(Boolean).map((text) => h("span", { class: "warned", text })),
  ];
}

/** The same times in words and numbers, made once somebody opens it: for who does not see bars, and for copying. @param {Recording} recording */
function timesTable({ file, people }) {
  const label = `Who is on screen when in ${baseName(file)}`;
  const rows = () => people.flatMap((one) => one.intervals.map(({ start, end, faces }) => {
    const cells = [timecode(start, 1), timecode(end, 1), (end - start).toFixed(1), number(faces)];
    return h("tr", {}, h("th", { scope: "row", text: called(one) }), ...cells.map((text) => h("td", { text })));
  }));
  const fill = () => {
    if (element.childElementCount > 1) return;
    const head = ["Person", "From", "To", "Seconds", "Seen"].map((text) => h("th", { scope: "col", text }));
    const table = h("table", { "aria-label": label }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows()));
    element.append(h("div", { class: "times-table", role: "region", tabindex: "0", "aria-label": label }, table));
    // Where others in the network may look, browsers give no clipboard.
    const text = () => [...table.rows].map(({ cells }) => [...cells].map((cell) => cell.textContent).join("\t")).join("\n");
    element.append(button("Copy", { onclick: () => copy(text(), "Copied: paste it into a sheet."), attrs: { hidden: !navigator.clipboard } }));
  };
  const element = h("details", { class: "times", ontoggle: fill }, h("summary", { "aria-label": `Times in ${baseName(file)} as a table`, text: "Times as a table" }));
  return element;
}
