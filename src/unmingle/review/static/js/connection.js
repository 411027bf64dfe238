import { button, h } from "./dom.js";

/** @type {Promise<void>|null} */ let waiting = null;
const LONGEST = 8000; // milliseconds between two tries

/**
 * Resolves once the server answers again. Shows a banner meanwhile.
 * @param {AbortSignal} [signal]
 */
export function waitForServer(signal) {
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
