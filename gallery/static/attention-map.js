// The heat map with its buttons, the strongest pairs beside it, and the parts of a long passage.

import { HeatMap } from "./attention-heatmap.js";
import { pager, signButton } from "./attention-pager.js";
import { strongest } from "./attention-units.js";
import { make } from "./dom.js";

/** @typedef {import("./attention-selection.js").Selection} Selection */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-wording.js").Wording} Wording */

/** Pairs that are listed. */
const PAIRS = 20;

/** Factor of a step of zooming. */
const ZOOM = 1.6;

export class MapView {
  /** @type {Pair | null} pair of the passage under the pointer */
  pair = null;

  /**
   * @param {Wording} wording @param {Selection} selection
   * @param {{ read: () => void, pin: (pair: Pair) => void, refresh: () => void }} told what the reader points at, holds, or wants fetched
   */
  constructor(wording, selection, told) {
    this.wording = wording;
    this.selection = selection;
    this.told = told;
    const canvas = make("canvas", { class: "map", tabindex: "0", role: "img", "aria-label": wording.text("map_label") });
    this.heat = new HeatMap(canvas, {
      point: (pair) => {
        this.pair = pair && selection.weights.ofPassage(pair);
        this.heat.mark(pair ?? this.#held);
        told.read();
      },
      pin: (pair) => told.pin(selection.weights.ofPassage(pair)),
    });
    const zooms = make(
      "span",
      { class: "steps zooms" },
      signButton(wording, "zoom_in", "+", () => this.heat.zoom(ZOOM)),
      signButton(wording, "zoom_out", "−", () => this.heat.zoom(1 / ZOOM)),
      signButton(wording, "zoom_whole", "⤢", () => this.heat.whole()),
    );
    this.part = make("div", { class: "mappart" });
    this.pairs = make("table", { class: "pairs" });
    this.element = make(
      "div",
      { class: "view", "data-view": "map" },
      make("div", { class: "mapplace" }, this.part, canvas, zooms),
      make("div", { class: "pairsplace" }, this.pairs),
    );
  }

  /** Pair of the matrix that is held. */
  get #held() {
    return this.selection.weights.ofMatrix(this.selection.pair);
  }

  show() {
    const { weights } = this.selection;
    this.heat.show(weights.matrix, weights.top);
    this.heat.mark(this.#held);
    this.#listPairs();
    if (!weights.long) return;
    const count = weights.matrix.units.length;
    this.part.replaceChildren(pager(this.wording, weights.start, weights.start + count, weights.units.length, (way) => this.#turn(way)));
  }

  /** Move the matrix along a long passage. @param {-1 | 1} way */
  #turn(way) {
    const { selection } = this;
    const { units, matrix, start } = selection.weights;
    selection.about = Math.max(0, Math.min(units.length - 1, start + ((1 + way) * matrix.units.length) / 2 + way));
    this.told.refresh();
  }

  #listPairs() {
    const { wording, selection } = this;
    const { weights } = selection;
    const head = make("tr", {}, ...["from", "to", "weight"].map((name) => make("th", { scope: "col" }, wording.text(`pairs_${name}`))));
    const rows = strongest(weights.matrix, PAIRS).map(([weight, from, to]) => {
      const [first, second] = [from, to].map((unit) => weights.matrix.units[unit].label);
      const button = make("button", { type: "button" }, first);
      button.addEventListener("click", () => this.#hold({ from, to }));
      return make("tr", {}, make("td", {}, button), make("td", {}, second), make("td", { class: "number" }, wording.percent(weight)));
    });
    this.pairs.replaceChildren(make("caption", {}, wording.text("pairs_caption")), make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** Hold a pair of the matrix, and bring it into sight. @param {Pair} pair */
  #hold(pair) {
    this.told.pin(this.selection.weights.ofPassage(pair));
    this.heat.reveal(pair);
  }

  /** Move the pair that is held. @param {number} rows @param {number} columns */
  #move(rows, columns) {
    const last = this.selection.weights.matrix.units.length - 1;
    const { from, to } = this.#held ?? { from: 0, to: 0 };
    this.#hold({ from: Math.min(last, Math.max(0, from + rows)), to: Math.min(last, Math.max(0, to + columns)) });
  }

  /** Return what keys do in the map. @param {boolean} shift whether the Shift key is down @returns {Record<string, () => void>} */
  keys(shift) {
    const moves = {
      ArrowUp: () => this.#move(-1, 0),
      ArrowDown: () => this.#move(1, 0),
      ArrowLeft: () => this.#move(0, -1),
      ArrowRight: () => this.#move(0, 1),
    };
    return {
      "+": () => this.heat.zoom(ZOOM),
      "=": () => this.heat.zoom(ZOOM),
      "-": () => this.heat.zoom(1 / ZOOM),
      0: () => this.heat.whole(),
      ...(shift ? moves : {}),
    };
  }
}
