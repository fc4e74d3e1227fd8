// Tokens or words: what the reader takes for one thing, and weights between such things.

/** @typedef {import("./attention-data.js").Index} Index */

/**
 * @typedef {object} Unit a token, or a word with all its tokens
 * @property {string} label
 * @property {number} first token
 * @property {number} last token, itself not included
 * @property {boolean} special
 * @property {number} start in the text, -1 for special tokens
 * @property {number} end
 *
 * @typedef {object} Matrix
 * @property {Unit[]} units
 * @property {Float32Array} values [units, units], row attends to column
 * @property {"shown" | "hidden" | "muted"} special how special tokens are treated
 */

/**
 * The units of a passage in order. Special tokens are units of their own.
 * @param {Index} index @param {boolean} words @returns {Unit[]}
 */
export function unitsOf(index, words) {
  /** @type {Unit[]} */
  const units = [];
  index.tokens.forEach((token, i) => {
    const word = index.token_words[i];
    if (word < 0) {
      units.push({ label: token, first: i, last: i + 1, special: true, start: -1, end: -1 });
    } else if (words && i > 0 && index.token_words[i - 1] === word) {
      units[units.length - 1].last = i + 1;
    } else {
      const [start, end] = words ? index.words[word] : index.offsets[i];
      units.push({ label: index.text.slice(start, end).trim() || token, first: i, last: i + 1, special: false, start, end });
    }
  });
  return units;
}

/**
 * Weights between units: summed over the pieces of the target, averaged over those of the source. Hidden special
 * tokens are left out and rows made to add up to 1 again.
 * @param {Float32Array} weights [T, T] @param {number} tokens @param {Unit[]} all @param {"shown" | "hidden" | "muted"} special
 * @param {Float32Array} [kept] by token, how much of its attention special tokens leave, where not all columns are here
 * @returns {Matrix}
 */
export function between(weights, tokens, all, special, kept) {
  const units = special === "hidden" ? all.filter((unit) => !unit.special) : all;
  const count = units.length;
  const column = new Int32Array(tokens).fill(-1);
  units.forEach((unit, u) => column.fill(u, unit.first, unit.last));
  const values = new Float32Array(count * count);
  units.forEach((unit, u) => {
    const row = values.subarray(u * count, (u + 1) * count);
    for (let token = unit.first; token < unit.last; token++) {
      const from = token * tokens;
      for (let i = 0; i < tokens; i++) if (column[i] >= 0) row[column[i]] += weights[from + i];
    }
    let sum = 0;
    for (const value of kept ? kept.subarray(unit.first, unit.last) : row) sum += value;
    const whole = special === "hidden" ? sum : unit.last - unit.first;
    if (whole > 0) for (let i = 0; i < count; i++) row[i] /= whole;
  });
  return { units, values, special };
}

/**
 * What one unit attends to, or what attends to it.
 * @param {Matrix} matrix @param {number} unit @param {boolean} by
 */
export function profile(matrix, unit, by) {
  const count = matrix.units.length;
  if (!by) return matrix.values.subarray(unit * count, (unit + 1) * count);
  const column = new Float32Array(count);
  for (let i = 0; i < count; i++) column[i] = matrix.values[i * count + unit];
  return column;
}

/**
 * The same as `profile`, from what the tokens of one unit attend to, or from what attends to them, [T].
 * @param {Float32Array} weights @param {Unit[]} units @param {boolean} by
 * @param {Float32Array | null} kept by token, how much of its attention hidden special tokens leave @param {Unit} unit the one it is about
 */
export function gather(weights, units, by, kept, unit) {
  const sum = (/** @type {Float32Array} */ values, /** @type {Unit} */ over) => values.subarray(over.first, over.last).reduce((a, b) => a + b, 0);
  const own = kept ? sum(kept, unit) / (unit.last - unit.first) : 1;
  return Float32Array.from(units, (other) => sum(weights, other) / (by ? (kept ? sum(kept, other) : other.last - other.first) : own));
}

/** The largest weight that is not muted. @param {Unit[]} units @param {boolean} muted @param {ArrayLike<number>} values one row or all rows */
export function largest(units, muted, values) {
  const count = units.length;
  let top = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > top && !(muted && units[i % count].special)) top = values[i];
  }
  return top;
}

/** The strongest pairs, muted ones left out. @param {Matrix} matrix @param {number} wanted */
export function strongest(matrix, wanted) {
  const { units, values, special } = matrix;
  const count = units.length;
  /** @type {[number, number, number][]} weight, from, to */
  const best = [];
  let floor = 0;
  for (let from = 0; from < count; from++) {
    if (special === "muted" && units[from].special) continue;
    for (let to = 0; to < count; to++) {
      const weight = values[from * count + to];
      if (weight <= floor || (special === "muted" && units[to].special)) continue;
      best.push([weight, from, to]);
      if (best.length > 4 * wanted) {
        best.sort((a, b) => b[0] - a[0]).length = wanted;
        floor = best[wanted - 1][0];
      }
    }
  }
  return best.sort((a, b) => b[0] - a[0]).slice(0, wanted);
}
