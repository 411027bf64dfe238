import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { clock } from "./format.js";

/**
 * Somebody else changed what this view shows.
 * @param {import("./api.js").ApiError} error
 */
export async function showStale(error) {
  const lines = /** @type {import("./session.js").Decision[]} */ (error.since).map((decision) =>
    h("li", {}, h("time", { text: clock(decision.made) }), h("span", { text: decision.words })),
  );
  await ask({
    title: "This changed while you were looking",
    body: [
      h("p", { text: "Nothing of yours was done, so nothing is lost. Meanwhile:" }),
      lines.length ? h("ul", { class: "since" }, ...lines) : h("p", { text: error.problem }),
    ],
    choices: [{ words: "Show how it is now", value: "ok", primary: true }],
  });
}

/**
 * Another run holds the library.
 * @param {import("./api.js").ApiError} error
 * @returns {Promise<boolean>} whether to try again
 */
export async function showBusy(error) {
  const answer = await ask({
    title: "Another run is writing",
    body: [h("p", { text: error.mend || "Try again when it is done. Nothing was changed." })],
    choices: [
      { words: "Leave it", value: null },
      { words: "Try again", value: "again", primary: true },
    ],
  });
  return answer === "again";
}
