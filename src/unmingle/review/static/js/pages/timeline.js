import { announce, button, freshId, h, icon } from "../dom.js";
import { endless } from "../endless.js";
import { baseName, called, counted, number, percent, timecode } from "../format.js";
import { bind } from "../keyboard.js";
import { lane, marks, showTip, walkable } from "../lanes.js";
import { setTitle } from "../router.js";
import { on } from "../session.js";
import { faceImage, showFace } from "../thumbs.js";
import { emptyState, toast } from "../toasts.js";

const PAGE = 20;

/** Who is on screen when, recording by recording. @type {import("../router.js").Mount} */
export function mount(root, { restore }) {
  setTitle("Timeline");
  /** How closely each recording is looked at. @type {Map<number, number>} */ const zooms = new Map();
  /** What is on the page, by recording. told: what it was drawn from. @type {Map<number, ReturnType<typeof recordingView> & {told: string}>} */
  const views = new Map();
  const list = h("div", { class: "recordings" });
  const end = h("div", { class: "log-end" });
  root.append(h("h1", { class: "page-title", text: "Timeline" }), list, end);

  // A recording is filled in when it comes near the screen.
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) views.get(Number(/** @type {HTMLElement} */ (target).dataset.recording))?.draw();
    }
  }, { rootMargin: "800px" });

  const recordings = endless({
    path: "/timeline",
    size: PAGE,
    items: (page) => page.recordings,
    end,
    empty: () => emptyState("There are no recordings", "Give “unmingle cluster” a recording, and who is on screen when is shown here."),
    renew,
    put,
  });

  /** What did not change stays as it is: opened, scrolled, with the focus in it. @param {any} page */
  function renew(page) {
    const numbers = page.recordings.map((/** @type {any} */ facts) => facts.recording);
    if (!views.size || numbers.join() !== [...views.keys()].join()) {
      clear();
      put(page);
      return;
    }
    for (const facts of page.recordings) {
      const before = /** @type {ReturnType<typeof view>} */ (views.get(facts.recording));
      if (before.told === JSON.stringify(facts)) continue;
      const held = barHeld(before.element);
      forget(before);
      before.element.replaceWith(view(facts).element);
      if (held) refocus(facts.recording, held);
    }
  }

  /** @param {Element} element @returns {string|null} how to find the bar that has the focus */
  function barHeld(element) {
    const bar = element.querySelector(".bar-time:focus");
    return bar && `.bar-time[href="${bar.getAttribute("href")}"][data-at="${/** @type {HTMLElement} */ (bar).dataset.at}"]`;
  }

  function refocus(/** @type {number} */ recording, /** @type {string} */ bar) {
    const now = views.get(recording);
    now?.draw();
    /** @type {HTMLElement|null} */ (now?.element.querySelector(bar))?.focus({ preventScroll: true });
  }

  function put(/** @type {any} */ page) {
    list.append(...page.recordings.map((/** @type {any} */ facts) => view(facts).element));
  }

  function view(/** @type {any} */ facts) {
    const { recording } = facts;
    const made = recordingView(facts, { zoom: zooms.get(recording), onZoom: (zoom) => zooms.set(recording, zoom) });
    const kept = { ...made, told: JSON.stringify(facts) };
    views.set(recording, kept);
    observer.observe(kept.element);
    return kept;
  }

  function forget(/** @type {ReturnType<typeof view>} */ kept) {
    observer.unobserve(kept.element);
    kept.stop();
    showTip(null);
  }

  function clear() {
    for (const kept of views.values()) forget(kept);
    views.clear();
    list.replaceChildren();
  }

  const toBars = () => /** @type {HTMLElement|null} */ (list.querySelector('.bar-time[tabindex="0"]'))?.focus();
  const unbind = bind({
    title: "Timeline",
    bindings: [{ keys: ["ArrowLeft", "ArrowRight", "Home", "End"], words: "From one time to the next", run: toBars }],
  });
  const unheard = on("changed", recordings.again);
  void recordings.start(restore.shown);
  return {
    snapshot: () => ({ shown: recordings.shown() }),
    unmount: () => {
      recordings.stop();
      observer.disconnect();
      clear();
      unbind();
      unheard();
    },
  };
}

const DENSEST = 40; // pixels a second, past which nothing more is to be seen

/**
 * A recording: a row for each person, with bars for the times on screen.
 * @param {any} facts of /api/timeline
 * @param {{zoom?: number, onZoom?: (zoom: number) => void}} [options] zoom: how many times wider than the page
 * @returns {{element: HTMLElement, draw: () => void, stop: () => void}} draw: fills it in, once it is near the screen
 */
function recordingView(facts, { zoom = 1, onZoom } = {}) {
  const { people, duration } = facts;
  const id = freshId("recording");
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" });
  const rows = h("div", { class: "track-rows" });
  const wide = h("div", { class: "tracks-wide" }, ruler, rows);
  const scroller = h("div", { class: "tracks" }, wide);
  const closer = tool("plus", "Closer", () => zoomTo(zoom * 2));
  const farther = tool("minus", "Farther", () => zoomTo(zoom / 2));
  const tools = h("div", { class: "recording-tools", role: "group", "aria-label": `How closely ${baseName(facts.file)} is looked at` }, farther, closer);
  const element = h("section", { class: "recording", "aria-labelledby": id, "data-recording": facts.recording },
    h("header", { class: "recording-head" },
      h("h2", { id, title: facts.file, text: baseName(facts.file) }),
      h("p", { class: "person-facts" }, ...factsOf(facts)),
      tools,
    ),
    scroller,
  );
  // As high as it will be, so that nothing jumps when it is filled in.
  rows.style.setProperty("--people", String(Math.max(1, people.length)));
  const observer = new ResizeObserver(() => draw2());
  let drawn = false;
  let width = 0;

  function draw() {
    if (drawn) return;
    drawn = true;
    if (people.length) {
      rows.append(...people.map((/** @type {any} */ one) => row(one, facts)));
      walkable(rows, people);
      element.append(timesTable(facts));
    } else {
      rows.append(h("p", { class: "quiet nobody", text: "Nobody is on screen." }));
    }
    observer.observe(ruler);
    apply();
  }

  function draw2() {
    if (!ruler.clientWidth || ruler.clientWidth === width) return;
    width = ruler.clientWidth;
    ruler.replaceChildren(...marks(duration, width));
    offer();
  }

  function apply() {
    // Not as a custom property: every bar would inherit it, and be styled anew.
    wide.style.width = `calc(var(--who) + (100% - var(--who)) * ${zoom})`;
    scroller.classList.toggle("zoomed", zoom > 1);
    draw2();
  }

  function offer() {
    farther.disabled = zoom <= 1;
    closer.disabled = width / duration >= DENSEST;
    tools.hidden = farther.disabled && closer.disabled;
  }

  /** What is in the middle stays there. @param {number} to */
  function zoomTo(to) {
    const room = scroller.clientWidth - (wide.clientWidth - ruler.clientWidth);
    const middle = (scroller.scrollLeft + room / 2) / (room * zoom);
    zoom = Math.max(1, to);
    apply();
    scroller.scrollLeft = middle * room * zoom - room / 2;
    onZoom?.(zoom);
  }

  return { element, draw, stop: () => observer.disconnect() };
}

/** @param {string} picture @param {string} words @param {() => void} onclick */
const tool = (picture, words, onclick) => h("button", { type: "button", class: "tool", "aria-label": words, title: words, onclick }, icon(picture));

function row(/** @type {any} */ one, /** @type {any} */ facts) {
  const image = faceImage();
  showFace(image, one.face, 1);
  const share = Math.min(1, one.seconds / facts.duration);
  const words = `${timecode(one.seconds, one.seconds < 60 ? 1 : 0)} on screen, ${share < 0.01 ? "under 1%" : percent(share)}`;
  const name = called(one);
  const who = h("a", { class: "track-who", href: `/people/${one.person}`, title: name },
    image,
    h("span", { class: one.name ? "track-name" : "track-name unnamed", text: name }),
    h("span", { class: "track-seconds", text: words }),
  );
  const bars = lane(one, {
    duration: facts.duration,
    label: `${name}: ${counted(one.intervals.length, "time")} on screen`,
    barOf: (_, times) => h("a", { href: `/people/${one.person}`, "aria-label": `${name}, ${times}` }),
  });
  return h("div", { class: "track-row" }, who, bars);
}

function factsOf(/** @type {any} */ facts) {
  const told = [timecode(facts.duration), counted(facts.people.length, "person"), `${number(facts.width)} × ${number(facts.height)}`];
  if (facts.files.length > 1) told.push(counted(facts.files.length, "copy", "copies"));
  const nodes = told.map((words) => h("span", { text: words }));
  if (facts.skipped) nodes.push(h("span", { class: "warned", text: `${counted(facts.skipped, "frame")} could not be decoded` }));
  if (!facts.complete) nodes.push(h("span", { class: "warned", text: "not yet watched to its end" }));
  return nodes;
}

const COLUMNS = ["Person", "From", "To", "Seconds", "Seen"];

/**
 * The same times in words and numbers, made once somebody opens it: for who does not see bars, and for copying.
 * @param {any} facts a recording of /api/timeline
 * @returns {HTMLElement}
 */
function timesTable(facts) {
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

function rowsOf(/** @type {any} */ facts) {
  return facts.people.flatMap((/** @type {any} */ one) =>
    one.intervals.map((/** @type {any} */ time) => [
      called(one),
      timecode(time.start, 1),
      timecode(time.end, 1),
      (time.end - time.start).toFixed(1),
      number(time.faces),
    ]));
}

function table(/** @type {any} */ facts) {
  const rows = rowsOf(facts).map(([who, ...rest]) => h("tr", {}, h("th", { scope: "row", text: who }), ...rest.map((/** @type {string} */ text) => h("td", { text }))));
  return h("table", {},
    h("caption", { class: "unseen", text: `Who is on screen when in ${baseName(facts.file)}` }),
    h("thead", {}, h("tr", {}, ...COLUMNS.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...rows),
  );
}

async function copyRows(/** @type {any} */ facts) {
  const rows = [COLUMNS, ...rowsOf(facts)];
  try {
    await navigator.clipboard.writeText(rows.map((row) => row.join("\t")).join("\n"));
    toast("Copied: paste it into a sheet.");
    announce("Copied");
  } catch {
    toast("The browser does not let the page copy. Select the rows instead.");
  }
}
