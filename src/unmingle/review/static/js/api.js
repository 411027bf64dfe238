import { byId } from "./dom.js";

/** What the server refuses, in its own words. */
export class ApiError extends Error {
  constructor(/** @type {number} */ status, /** @type {Partial<Schemas["Stale"] & Schemas["Merged"]>} */ body) {
    super(body.problem || `The server answered ${status}.`);
    this.status = status;
    this.problem = this.message;
    this.mend = body.mend ?? "";
    this.since = body.since ?? [];
    this.mergedInto = body.merged_into ?? null;
    this.words = [this.problem, this.mend].filter(Boolean).join(" ");
  }
}

/** @param {string} path below /api @param {Record<string, string|number|number[]|undefined>} [query] @param {AbortSignal} [signal] */
export function get(path, query = {}, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.flatMap(([key, value]) => [value].flat().map((one) => [key, String(one)]))).toString();
  return request(`/api${path}${search ? `?${search}` : ""}`, { signal });
}

/** A part of a list of the server, as `items`, whatever they are. @param {string} path below /api @param {Record<string, any>} query @param {AbortSignal} signal @returns {Promise<{total: number, items: any[], revision: number}>} */
export async function getPart(path, query, signal) {
  const page = await get(path, query, signal);
  return { ...page, items: Object.values(page).find(Array.isArray) };
}

/** @param {string} path below /api @param {object|Blob} body what is told, or a file @param {AbortSignal} [signal] */
export function post(path, body, signal) {
  const [type, content] = body instanceof Blob ? ["application/octet-stream", body] : ["application/json", JSON.stringify(body)];
  return request(`/api${path}`, { method: "POST", headers: { "Content-Type": type }, body: content, signal });
}

// When the server is gone the request waits, and goes out again once it is back. A decision sent twice that way is
// refused the second time, since it carries the revision it was made on.
/** @param {string} address @param {RequestInit} options @returns {Promise<any>} */
async function request(address, options) {
  for (;;) {
    try {
      const response = await fetch(address, options); // with the cookie, as all of the same origin
      const text = await response.text();
      const body = await new Response(text).json().catch(() => ({}));
      if (response.ok) {
        session.told ??= body?.revision;
        return body;
      }
      const locked = body.locked && address !== "/api/unlock";
      if (locked) askForKey();
      // Where there is no library yet, pictures are chosen first.
      if (body.empty && location.pathname !== "/add") location.replace("/add");
      if (locked || body.empty) return new Promise(() => {}); // nobody gets an answer any more: the page is loaded anew
      throw new ApiError(response.status, body);
    } catch (error) {
      if (error instanceof ApiError || options.signal?.aborted) throw error;
      waiting ??= knock().finally(() => (waiting = null));
      await waiting;
    }
  }
}

/** In the place of all that was shown, a locked library's page asks for its key. */
function askForKey() {
  const { content } = /** @type {HTMLTemplateElement} */ (byId("locked"));
  const form = content.querySelector("form"); // where it has not been asked for yet
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    post("/unlock", Object.fromEntries(new FormData(form))).then(() => location.reload(), (error) => form.querySelector("[role=alert]")?.replaceChildren(error.message));
  });
  for (const part of document.querySelectorAll("dialog, .toast, .dock, .tabs, .bar-tools")) part.remove();
  if (form) byId("page").replaceChildren(form);
  form?.querySelector("input")?.focus();
}

export const thumbnail = (/** @type {number} */ face) => `/api/faces/${face}/thumbnail`;
export const picture = (/** @type {number} */ face) => `/api/faces/${face}/picture`;

/** The server's words for a picture that can't be shown. @param {string} address */
export async function whyNot(address) {
  const answer = await fetch(address).catch(() => null);
  const body = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
  return new ApiError(0, { problem: "The picture can't be shown.", ...body }).words;
}

/** @type {Promise<void>|null} for the server to be back */ let waiting = null;
const LONGEST = 8000; // milliseconds between two tries

/** Resolves once the server answers again; says meanwhile that it does not. */
async function knock() {
  const banner = byId("banner");
  banner.hidden = false;
  const isThere = () => fetch("/api/library").then(() => true, () => false);
  for (let pause = 400; !(await isThere()); pause = Math.min(pause * 2, LONGEST)) {
    await new Promise((resolve) => {
      banner.onclick = resolve;
      setTimeout(resolve, pause);
    });
  }
  banner.hidden = true;
}

/** What all pages share. */
export const session = {
  library: /** @type {Schemas["LibrarySummary"]|null} */ (null),
  told: /** @type {number|undefined} */ (undefined), // the revision that the page shows at least: of the first answer, then of the last change
};

const decisions = new EventTarget();

/** Hears of every decision: its outcome, or null of others'. @param {(outcome: Outcome|null) => void} listener @param {AbortSignal} [signal] ends it */
export const onDecision = (listener, signal) => decisions.addEventListener("decided", (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal });

/** Tells every part of the page that something was decided. @param {Outcome|null} outcome */
export const decided = (outcome) => decisions.dispatchEvent(new CustomEvent("decided", { detail: outcome }));
