import { openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { keymaps } from "./keyboard.js";

const SHOWN = /** @type {Record<string, string>} */ ({
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space", "Shift+?": "?",
});
const MOD = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";

/** A key as on the keyboard. @param {string} key */
function caps(key) {
  return key.split(" ").flatMap((press) => press.split("+").map((part) => part || "+")).map((part) => {
    const shown = SHOWN[part] ?? (part === "Mod" ? MOD : part.length === 1 ? part.toUpperCase() : part);
    return h("kbd", { text: shown });
  });
}

/** @param {string[]} keys @returns {Node[]} */
function row(keys) {
  return keys.flatMap((key, at) => [at ? h("span", { class: "or", text: "or" }) : null, ...caps(key)]).filter((node) => node !== null);
}

/** Shows the keys that work now. */
export function showKeys() {
  /** @type {(value?: string|null) => void} */ let close = () => {};
  const sections = keymaps().filter((map) => map.bindings.length).reverse().map((map) =>
    h("section", { class: "keys-part" },
      h("h3", { text: map.title }),
      h("dl", {}, ...map.bindings.filter((binding) => binding.words).map((binding) =>
        h("div", {}, h("dt", { text: binding.words }), h("dd", {}, ...row(binding.keys))),
      )),
    ),
  );
  const done = button("Close", { onclick: () => close(), primary: true, attrs: { autofocus: true } });
  ({ close } = openDialog({ title: "Keys", class: "dialog-wide", body: [h("div", { class: "keys-sheet" }, ...sections)], foot: [done] }));
}
