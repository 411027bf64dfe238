import { button, h } from "./dom.js";

/** What the server refuses, in its own words. */
export class ApiError extends Error {
  constructor(/** @type {number} */ status, /** @type {{problem?: string, mend?: string, since?: object[], merged_into?: number|null}} */ body) {
    super(body.problem || `The server answered ${status}.`);
    this.status = status;
    this.problem = this.message;
    this.mend = body.mend ?? "";
    this.since = body.since ?? [];
    this.mergedInto = body.merged_into ?? null;
  }
}

/** @param {string} path below /api @param {Record<string, string|number|number[]|undefined>} [query] @param {AbortSignal} [signal] */
export function get(path, query = {}, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.flatMap(([key, value]) => [value].flat().map((one) => [key, String(one)]))).toString();
  return send(`/api${path}${search ? `?${search}` : ""}`, { signal });
}

/** @param {string} path below /api @param {object} body */
export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return send(`/api${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * When the server is gone the request waits, and goes out again once it is back. A decision sent twice that way is
 * refused the second time, since it carries the revision it was made on.
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<any>}
 */
async function send(address, options) {
  for (;;) {
    try {
      return await answer(await fetch(address, { credentials: "same-origin", ...options }));
    } catch (error) {
      if (error instanceof ApiError || options.signal?.aborted) throw error;
      await waitForServer(options.signal ?? undefined);
    }
  }
}

async function answer(/** @type {Response} */ response) {
  const text = await response.text();
  const body = parse(text);
  if (response.ok) return body;
  throw new ApiError(response.status, body);
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export const thumbnail = (/** @type {number} */ face) => `/api/faces/${face}/thumbnail`;

export const picture = (/** @type {number} */ face, /** @type {number} */ side = 1600) => `/api/faces/${face}/picture?side=${side}`;

/** @type {Promise<void>|null} */ let waiting = null;
const LONGEST = 8000; // milliseconds between two tries

/** Resolves once the server answers again. Shows a banner meanwhile. @param {AbortSignal} [signal] */
function waitForServer(signal) {
  waiting ??= knock().finally(() => {
    waiting = null;
  });
  if (!signal) return waiting;
  const aborted = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new DOMException("No longer wanted.", "AbortError")), { once: true });
  });
  return Promise.race([waiting, aborted]);
}

async function knock() {
  /** @type {() => void} */ let now = () => {};
  const banner = show(() => now());
  for (let pause = 400; !(await isThere()); pause = Math.min(pause * 2, LONGEST)) {
    await new Promise((resolve) => {
      now = () => resolve(undefined);
      setTimeout(resolve, pause);
    });
  }
  banner.hidden = true;
}

async function isThere() {
  try {
    await fetch("/api/library", { credentials: "same-origin" });
    return true;
  } catch {
    return false;
  }
}

function show(/** @type {() => void} */ retry) {
  const banner = /** @type {HTMLElement} */ (document.getElementById("banner"));
  const words = "The server does not answer. Is “unmingle review” still running? What you were doing is kept, and goes on once it is back.";
  banner.replaceChildren(h("p", { text: words }), button("Try now", { onclick: retry }));
  banner.hidden = false;
  return banner;
}
