// What the reader has chosen, holds and points at, over the weights that are shown.

import { NONE } from "./attention-weights.js";

/** @typedef {import("./attention-state.js").State} State */
/** @typedef {import("./attention-units.js").Pair} Pair */

export class Selection {
  /** Weights that the state asks for, none until they have come. */
  weights = NONE;
  /** @type {number | null} unit under the pointer or in focus */
  over = null;
  /** @type {number | null} the last such unit, while there is none */
  last = null;
  /** @type {number | null} unit that the matrix of a long passage surrounds */
  about = null;

  /** @param {State} state */
  constructor(state) {
    this.state = state;
  }

  /** Unit that is held, -1 if none. */
  get held() {
    return this.weights.unitOf(this.state.word);
  }

  /** Pair that is held, null if none. @returns {Pair | null} */
  get pair() {
    const { held } = this;
    const to = this.weights.unitOf(this.state.to);
    return held >= 0 && to >= 0 ? { from: held, to } : null;
  }

  /** Unit whose attention is shown: held, pointed at, last pointed at, or at first a long word near the beginning; -1 if there is no word. */
  get anchor() {
    const { units } = this.weights;
    const unit = this.held >= 0 ? this.held : (this.over ?? this.last);
    if (unit !== null) return unit;
    const early = units.slice(0, 40).filter((other) => !other.special);
    return units.indexOf(early.reduce((a, b) => (b.label.length > a.label.length ? b : a), early[0]));
  }

  /** Point at nothing, now that the units are others. */
  clear() {
    this.over = this.last = null;
  }

  /** Point at a unit, or at none; return whether that is news. @param {number | null} unit */
  point(unit) {
    if (this.over === unit) return false;
    this.over = unit;
    if (unit !== null) this.last = unit;
    return true;
  }
}
