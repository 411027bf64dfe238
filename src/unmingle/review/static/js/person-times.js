import { get } from "./api.js";
import { button, h } from "./dom.js";
import { baseName, called, counted, timecode } from "./format.js";
import { lane, walkable } from "./lanes.js";
import { session } from "./session.js";
import { showTip } from "./time-tip.js";

const SHOWN = 4; // recordings, until somebody wants to see all
const MOST = 200;
const PAUSE = 600; // milliseconds without a change before it is asked for again: it takes a while in long recordings

/**
 * Where a person is on screen: a row for each recording; nothing where there is none.
 * @param {{person: number, open: (faces: number[], at: number) => void}} options
 * open: shows one of these faces in its picture
 */
export function personTimes({ person, open }) {
  const element = h("section", { class: "person-times", "aria-label": "On screen" });
  let timer = 0;
  let stopped = false;
  let all = false;
  let told = "";

  async function load() {
    if (session.library?.recordings === 0) return;
    try {
      const { recordings } = await get("/timeline", { person, limit: MOST });
      const now = JSON.stringify(recordings);
      if (stopped || now === told) return;
      told = now;
      draw(recordings);
    } catch {
      // The page tells of its own requests what is wrong; without this part it is whole.
    }
  }

  function draw(/** @type {any[]} */ recordings) {
    showTip(null);
    const longest = [...recordings].sort((one, other) => other.people[0].seconds - one.people[0].seconds);
    const shown = all ? recordings : recordings.filter((one) => longest.indexOf(one) < SHOWN);
    const rest = recordings.length - shown.length;
    const faces = shown.flatMap((facts) => facts.people[0].intervals.map((/** @type {any} */ time) => time.face));
    let before = 0;
    const rows = shown.map((facts) => {
      const [one] = facts.people;
      const first = before;
      before += one.intervals.length;
      return row(facts, one, (at) => open(faces, first + at));
    });
    const more = rest ? button(`Show ${counted(rest, "more recording")}`, { class: "quiet-button", onclick: () => unfold(recordings) }) : null;
    element.replaceChildren(...rows, ...(more ? [more] : []));
    walkable(element, shown.map((facts) => facts.people[0]));
  }

  function unfold(/** @type {any[]} */ recordings) {
    all = true;
    draw(recordings);
    /** @type {HTMLElement|null} */ (element.querySelector('.bar-time[tabindex="0"]'))?.focus();
  }

  return {
    element,
    load,
    clear: () => {
      told = "";
      element.replaceChildren();
    },
    again: () => {
      clearTimeout(timer);
      timer = window.setTimeout(load, PAUSE);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      showTip(null);
    },
  };
}

function row(/** @type {any} */ facts, /** @type {any} */ one, /** @type {(at: number) => void} */ open) {
  const file = baseName(facts.file);
  return h("div", { class: "track-row" },
    h("p", { class: "track-who", title: facts.file },
      h("span", { class: "track-name", text: file }),
      h("span", { class: "track-seconds", text: `${timecode(one.seconds, one.seconds < 60 ? 1 : 0)} of ${timecode(facts.duration)}` }),
    ),
    lane(one, {
      duration: facts.duration,
      label: `${called(one)} in ${file}: ${counted(one.intervals.length, "time")} on screen`,
      barOf: (at, words) => h("button", { type: "button", "aria-label": `${words}: see the picture`, onclick: () => open(at) }),
    }),
  );
}
