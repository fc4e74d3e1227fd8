// The weights that are shown at a time: those between all units, or of a long passage those between some.

import { currentHead, shownHeads } from "./attention-state.js";
import { between, gather, largest, profile, unitsOf } from "./attention-units.js";

/** @typedef {import("./attention-data.js").AttentionData} AttentionData */
/** @typedef {import("./attention-products.js").Stretch} Stretch */
/** @typedef {import("./attention-state.js").State} State */
/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-units.js").Unit} Unit */
/** @typedef {{ heads: Stretch, left: Float32Array | null }} Long a long passage: its heads, and by token what hidden special tokens leave */

/** Tokens of a long passage that go into its matrix at once. */
const PART = 640;

/** Fetch the weights that a state asks for. @param {AttentionData} data @param {State} state @param {number | null} about unit that the matrix of a long passage is to surround */
export async function loadWeights(data, state, about) {
  const heads = shownHeads(state, data.index);
  const units = unitsOf(data.index, state.words).filter((unit) => !unit.special || state.special !== "hidden");
  if (heads && !data.whole) return partOf(await data.stretch(heads), units, state, about);
  const values = heads ? await data.mean(heads) : await data.stored(storedName(state), currentHead(state)[0]);
  return new Weights(units, between(values, data.tokens, units, state.special), 0, null);
}

/** Return the name of the stored weights that a state asks for. @param {State} state @returns {"mean" | "rollout" | "norms"} */
function storedName(state) {
  return state.source === "rollout" || state.source === "norms" ? state.source : "mean";
}

/** Multiply the part of a long passage around a unit. @param {Stretch} heads @param {Unit[]} units @param {State} state @param {number | null} about if null, the held word */
function partOf(heads, units, state, about) {
  const { tokens } = heads;
  const middle = units[about ?? Math.max(0, unitOf(units, state.word))]?.first ?? 0;
  const from = Math.max(0, Math.min(middle - PART / 2, tokens - PART));
  const chosen = units.filter((unit) => unit.first >= from && unit.last <= from + PART);
  const [first, last] = [chosen[0].first, chosen[chosen.length - 1].last];
  const left = state.special === "hidden" ? heads.leftBySpecial() : null;
  const moved = chosen.map((unit) => ({ ...unit, first: unit.first - first, last: unit.last - first }));
  const matrix = between(heads.block(first, last, first, last), last - first, moved, state.special, left?.subarray(first, last));
  return new Weights(units, matrix, units.indexOf(chosen[0]), { heads, left });
}

/** Return the unit that a token belongs to, -1 if none. @param {Unit[]} units @param {number | null} token */
function unitOf(units, token) {
  return token === null ? -1 : units.findIndex((unit) => unit.first <= token && token < unit.last);
}

class Weights {
  /** @param {Unit[]} units all that are shown @param {Matrix} matrix @param {number} start first unit of the matrix @param {Long | null} long */
  constructor(units, matrix, start, long) {
    this.units = units;
    this.matrix = matrix;
    this.start = start;
    this.long = long;
    /** Greatest weight of the matrix that is not muted. */
    this.top = largest(matrix.units, this.muted, matrix.values);
  }

  get muted() {
    return this.matrix.special === "muted";
  }

  /** Return the unit that a token belongs to, -1 if none. @param {number | null} token */
  unitOf(token) {
    return unitOf(this.units, token);
  }

  /** Return what a unit attends to, or what attends to it, among all units. @param {number} unit @param {boolean} by */
  profile(unit, by) {
    const { long, units, matrix } = this;
    if (!long) return profile(matrix, unit, by);
    const { first, last } = units[unit];
    return gather(long.heads.profile(first, last, by), units, by, long.left, units[unit]);
  }

  /** Return the greatest weight of a profile that is not muted. @param {ArrayLike<number>} values by unit */
  topOf(values) {
    return largest(this.units, this.muted, values);
  }

  /** Return a pair of the matrix as a pair of all units. @param {Pair} pair @returns {Pair} */
  ofPassage(pair) {
    return { from: pair.from + this.start, to: pair.to + this.start };
  }

  /** Return a pair of all units as a pair of the matrix, null where the matrix does not hold both. @param {Pair | null} pair @returns {Pair | null} */
  ofMatrix(pair) {
    if (!pair) return null;
    const inside = { from: pair.from - this.start, to: pair.to - this.start };
    return Math.min(inside.from, inside.to) >= 0 && Math.max(inside.from, inside.to) < this.matrix.units.length ? inside : null;
  }
}

/** No weights of no units. */
export const NONE = new Weights([], { units: [], values: new Float32Array(0), special: "muted" }, 0, null);
