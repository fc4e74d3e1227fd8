// The weights as lines between two columns of units.

import { shade } from "./attention-ink.js";
import { pager } from "./attention-pager.js";
import { draw, make } from "./dom.js";

/** @typedef {import("./attention-selection.js").Selection} Selection */
/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {import("./attention-wording.js").Wording} Wording */

/** Units in a column at most. */
const LINES = 36;

/** Shade below which no line is drawn. */
const FAINT = 0.12;

/** Height of a unit, width of the drawing, and where lines begin and end. */
const [HEIGHT, WIDTH, LEFT, RIGHT] = [22, 520, 190, 330];

export class LinesView {
  /** @type {number | null} first unit of the columns within the matrix; null before they are drawn, and where they follow the held word */
  #start = null;

  /**
   * @param {Wording} wording @param {Selection} selection
   * @param {{ read: () => void, pin: (unit: number) => void, refresh: () => void }} told what the reader points at, holds, or wants fetched
   */
  constructor(wording, selection, told) {
    this.wording = wording;
    this.selection = selection;
    this.told = told;
    this.columns = make("div", { class: "linesplace" });
    this.element = make("div", { class: "view", "data-view": "lines" }, this.columns);
    this.columns.addEventListener("click", (event) => {
      const unit = this.#unitAt(event, "text[data-unit]");
      if (unit !== null) told.pin(unit);
    });
    this.columns.addEventListener("pointerover", (event) => this.#point(this.#unitAt(event, "[data-unit]")));
    this.columns.addEventListener("pointerleave", () => this.#point(null));
  }

  /** @param {Event} event @param {string} selector @returns {number | null} unit of the passage */
  #unitAt(event, selector) {
    const label = event.target instanceof Element ? event.target.closest(selector) : null;
    return label ? Number(label.getAttribute("data-unit")) + this.selection.weights.start : null;
  }

  /** @param {number | null} unit */
  #point(unit) {
    if (unit === this.selection.over) return;
    this.selection.over = unit;
    this.show();
    this.told.read();
  }

  show() {
    const { selection, wording } = this;
    const { weights, state, held, over } = selection;
    const { matrix, units } = weights;
    const count = matrix.units.length;
    const about = this.#start === null ? Math.max(0, held - weights.start) : this.#start + LINES / 2;
    const start = Math.max(0, Math.min(Math.round(about - LINES / 2), count - LINES));
    this.#start = start;
    const end = Math.min(count, start + LINES);
    const pointed = over === null ? -1 : over - weights.start;
    const anchor = pointed >= start && pointed < end ? pointed : held < 0 ? -1 : held - weights.start;
    this.columns.replaceChildren(
      pager(wording, weights.start + start, weights.start + end, units.length, (way) => this.#turn(way, start, end)),
      drawLines(matrix, start, end, weights.top, anchor, state.by),
    );
  }

  /** Show the units before or after [start, end). Past the edge of the matrix, the matrix moves along. @param {-1 | 1} way @param {number} start @param {number} end */
  #turn(way, start, end) {
    const { selection } = this;
    const next = start + way * LINES;
    selection.over = null;
    if (way < 0 ? start === 0 : end === selection.weights.matrix.units.length) {
      selection.about = Math.max(0, selection.weights.start + next);
      this.#start = null;
      this.told.refresh();
    } else {
      this.#start = Math.max(0, next);
      this.show();
    }
  }
}

/**
 * Draw lines between two columns of the units [start, end), as thick and dark as the weights.
 * @param {Matrix} matrix @param {number} start @param {number} end @param {number} top weight at full strength
 * @param {number} anchor unit whose lines alone are drawn, -1 for all @param {boolean} by whether the anchor is on the right
 */
function drawLines(matrix, start, end, top, anchor, by) {
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${(end - start) * HEIGHT}`, class: "lines", role: "group" });
  const group = draw("g", { class: "ink", fill: "none" });
  const middle = (LEFT + RIGHT) / 2;
  for (let from = start; from < end; from++) {
    for (let to = start; to < end; to++) {
      if (anchor >= 0 && anchor !== (by ? to : from)) continue;
      const strength = strengthOf(matrix, from, to, top);
      if (strength < FAINT) continue;
      const [y1, y2] = [(from - start + 0.5) * HEIGHT, (to - start + 0.5) * HEIGHT];
      const d = `M${LEFT} ${y1}C${middle} ${y1} ${middle} ${y2} ${RIGHT} ${y2}`;
      group.append(draw("path", { d, "stroke-opacity": strength.toFixed(2), "stroke-width": (0.5 + 2.5 * strength).toFixed(2) }));
    }
  }
  picture.append(group);
  for (let unit = start; unit < end; unit++) {
    for (const right of [false, true]) {
      const { label, special } = matrix.units[unit];
      const attributes = {
        x: right ? RIGHT + 8 : LEFT - 8,
        y: (unit - start + 0.5) * HEIGHT,
        "text-anchor": right ? "start" : "end",
        "dominant-baseline": "central",
        class: unit === anchor && right === by ? "label anchor" : special ? "label special" : "label",
        "data-unit": unit,
        "data-side": right ? "to" : "from",
      };
      picture.append(draw("text", attributes, label));
    }
  }
  return picture;
}

/** Return the shade of a pair, 0 if one of the units is muted. @param {Matrix} matrix @param {number} from @param {number} to @param {number} top */
function strengthOf({ units, values, special }, from, to, top) {
  if (special === "muted" && (units[from].special || units[to].special)) return 0;
  return shade(values[from * units.length + to], top);
}
