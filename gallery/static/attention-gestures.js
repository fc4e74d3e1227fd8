// Mouse, finger and wheel on a heat map: point, tap, drag, pinch and zoom.

/** @typedef {import("./attention-heatmap.js").HeatMap} HeatMap */
/** @typedef {import("./attention-units.js").Pair} Pair */

/** Pixels that a pointer may move and still tap. */
const STILL = 4;

/** @param {HeatMap} map @param {{ point: (pair: Pair | null) => void, pin: (pair: Pair) => void }} told of pairs pointed at and tapped */
export function followGestures(map, told) {
  const { canvas } = map;
  /** @type {Map<number, PointerEvent>} pointers that are down, as they were last */
  const pointers = new Map();
  let moved = false;

  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    moved = false;
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
  });

  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      told.point(map.pairAt(event));
      return;
    }
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    if (other && pointers.size === 2) {
      pinch(map, before, event, other);
    } else {
      const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
      if (!moved && Math.hypot(right, down) < STILL) return;
      const { cell } = map.layout();
      map.look(map.view.row - down / cell, map.view.column - right / cell, map.view.span);
    }
    moved = true;
    pointers.set(event.pointerId, event);
  });

  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
    canvas.addEventListener(name, (event) => {
      if (!pointers.delete(event.pointerId) || moved || name === "pointercancel") return;
      const pair = map.pairAt(event);
      if (pair) told.pin(pair);
    });
  }

  canvas.addEventListener("pointerleave", () => pointers.size || told.point(null));
  canvas.addEventListener("dblclick", (event) => map.zoom(2, map.locate(event)));

  // The wheel scrolls the page; with Ctrl or ⌘, or in the focused map, it zooms.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
      event.preventDefault();
      map.zoom(Math.exp(-event.deltaY / 300), map.locate(event));
    },
    { passive: false },
  );
}

/** Zoom by the distance of two fingers. @param {HeatMap} map @param {PointerEvent} before @param {PointerEvent} now @param {PointerEvent} other finger */
function pinch(map, before, now, other) {
  const was = Math.hypot(before.clientX - other.clientX, before.clientY - other.clientY);
  const is = Math.hypot(now.clientX - other.clientX, now.clientY - other.clientY);
  if (was > 0) map.zoom(is / was, map.locate(now));
}
