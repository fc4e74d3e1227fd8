// The line that says what is pointed at in numbers, and the scale of the shades beside it.

import { make } from "./dom.js";

/** @typedef {import("./attention-selection.js").Selection} Selection */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-wording.js").Wording} Wording */

/** Units that a sentence about a unit names. */
const NAMED = 4;

export class Readout {
  /** @param {Wording} wording @param {Selection} selection */
  constructor(wording, selection) {
    this.wording = wording;
    this.selection = selection;
    this.line = make("p", { class: "readout", "aria-live": "polite" });
    this.legend = make("p", { class: "legend" });
    this.element = make("div", { class: "foot" }, this.line, this.legend);
  }

  /** Say the weight of a pair. @param {Pair} pair */
  sayPair({ from, to }) {
    const { weights } = this.selection;
    const { units } = weights;
    const share = this.wording.percent(weights.profile(from, false)[to]);
    this.line.textContent = this.wording.text("pair", { from: units[from].label, to: units[to].label, share });
  }

  /** Say how to use a view. @param {"map_hint" | "reading_hint"} hint */
  sayHint(hint) {
    this.line.textContent = this.wording.text(hint);
  }

  /** Say what a unit attends to most, or what attends to it. @param {number} unit @param {Float32Array} values its attention, by unit */
  sayUnit(unit, values) {
    const { selection, wording } = this;
    const { units, muted } = selection.weights;
    const { by } = selection.state;
    const counted = [...values.keys()].filter((other) => !(muted && units[other].special));
    const best = counted.sort((a, b) => values[b] - values[a]).slice(0, NAMED);
    const list = best.map((other) => wording.text("unit_share", { word: units[other].label, share: wording.percent(values[other]) })).join(", ");
    const untouched = selection.held < 0 && selection.over === null && selection.last === null;
    const sentence = wording.text(by ? "attended_by" : "attends_to", { word: units[unit].label, list });
    this.line.textContent = untouched ? `${sentence}. ${wording.text("reading_hint")}` : sentence;
  }

  /** Show the scale of the shades. @param {number} top weight at full shade @param {boolean} text whether the shades are those of the text, which are paler */
  scale(top, text) {
    const { wording } = this;
    this.legend.replaceChildren(
      make("span", {}, wording.percent(0)),
      make("span", { class: text ? "ramp" : "ramp full" }),
      make("span", { class: "end" }, top ? wording.percent(top) : ""),
      make("span", { class: "how" }, wording.text("legend")),
    );
  }
}
