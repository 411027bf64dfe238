import { h } from "./dom.js";
import { cellsIn } from "./geometry.js";

const SLACK = 6; // pixels before a press is a drag
const EDGE = 48; // pixels from the edge of the window where it scrolls
const SPEED = 18; // pixels a frame at most

/**
 * Picks cells by pulling a rectangle over them with a mouse.
 * @param {import("./virtual-grid.js").VirtualGrid} grid
 * @param {{onStart: (event: PointerEvent) => void, onBox: (stretches: [number, number][]) => void, onEnd: () => void}} handlers
 * @returns {() => void} takes it off again
 */
export function rubberBand(grid, { onStart, onBox, onEnd }) {
  /** @type {{x: number, y: number, event: PointerEvent}|null} where it began, in the grid */
  let from = null;
  /** @type {HTMLElement|null} */ let band = null;
  let pointer = { x: 0, y: 0 };
  let frame = 0;

  const inGrid = (/** @type {number} */ x, /** @type {number} */ y) => {
    const box = grid.root.getBoundingClientRect();
    return { x: x - box.left, y: y - box.top };
  };

  const draw = () => {
    if (!from || !band) return;
    const to = inGrid(pointer.x, pointer.y);
    const box = { left: Math.min(from.x, to.x), top: Math.min(from.y, to.y), right: Math.max(from.x, to.x), bottom: Math.max(from.y, to.y) };
    band.style.transform = `translate(${box.left}px, ${box.top}px)`;
    band.style.width = `${box.right - box.left}px`;
    band.style.height = `${box.bottom - box.top}px`;
    onBox(cellsIn(box, grid.total, grid.layout));
  };

  const pull = () => {
    const over = pointer.y - (innerHeight - EDGE);
    const under = EDGE + 60 - pointer.y;
    const step = over > 0 ? Math.min(over, SPEED) : under > 0 ? -Math.min(under, SPEED) : 0;
    if (step) {
      window.scrollBy(0, step);
      draw();
    }
    frame = requestAnimationFrame(pull);
  };

  const begin = () => {
    if (!from) return;
    band = h("div", { class: "band", "aria-hidden": "true" });
    grid.root.append(/** @type {HTMLElement} */ (band));
    document.body.classList.add("dragging");
    onStart(from.event);
    frame = requestAnimationFrame(pull);
  };

  const down = (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0 || event.pointerType !== "mouse") return;
    if (event.target instanceof Element && event.target.closest("button, input, a")) return;
    from = { ...inGrid(event.clientX, event.clientY), event };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (!from) return;
    pointer = { x: event.clientX, y: event.clientY };
    const here = inGrid(pointer.x, pointer.y);
    if (!band && Math.hypot(here.x - from.x, here.y - from.y) > SLACK) begin();
    draw();
  };
  const up = () => {
    cancelAnimationFrame(frame);
    if (band) {
      band.remove();
      document.body.classList.remove("dragging");
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
      onEnd();
    }
    from = null;
    band = null;
  };

  grid.root.addEventListener("pointerdown", down);
  addEventListener("pointermove", move);
  addEventListener("pointerup", up);
  addEventListener("pointercancel", up);
  return () => {
    up();
    grid.root.removeEventListener("pointerdown", down);
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    removeEventListener("pointercancel", up);
  };
}

/** The click that ends a drag is none. @param {Event} event */
function swallow(event) {
  event.stopPropagation();
  event.preventDefault();
}
