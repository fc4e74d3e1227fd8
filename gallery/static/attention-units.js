// Units, which are tokens or words, and the weights between them.

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {{ from: number, to: number }} Pair of units */

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
 * @property {import("./attention-state.js").State["special"]} special
 */

/**
 * Return the units of a passage in order. Special tokens are units of their own.
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
 * Return the weights between units: summed over the tokens of the unit looked at, averaged over those of the unit that looks. Where
 * special tokens are hidden, rows are made to add up to 1 again.
 * @param {Float32Array} weights [tokens, tokens] @param {number} tokens @param {Unit[]} units @param {Matrix["special"]} special
 * @param {Float32Array} [left] by token, how much of its attention hidden special tokens leave, where not all columns are given
 * @returns {Matrix}
 */
export function between(weights, tokens, units, special, left) {
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
    for (const value of left ? left.subarray(unit.first, unit.last) : row) sum += value;
    const whole = special === "hidden" ? sum : unit.last - unit.first;
    if (whole > 0) for (let i = 0; i < count; i++) row[i] /= whole;
  });
  return { units, values, special };
}

/**
 * Return what a unit attends to, or what attends to it, by unit.
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
 * Return the same as `profile`, from what the tokens of a unit attend to, or from what attends to them.
 * @param {Float32Array} weights by token @param {Unit[]} units @param {boolean} by
 * @param {Float32Array | null} left by token, how much of its attention hidden special tokens leave @param {Unit} unit
 */
export function gather(weights, units, by, left, unit) {
  const sum = (/** @type {Float32Array} */ values, /** @type {Unit} */ over) => values.subarray(over.first, over.last).reduce((a, b) => a + b, 0);
  const own = left ? sum(left, unit) / (unit.last - unit.first) : 1;
  return Float32Array.from(units, (other) => sum(weights, other) / (by ? (left ? sum(left, other) : other.last - other.first) : own));
}

/** Return the largest weight that is not muted. @param {Unit[]} units @param {boolean} muted @param {ArrayLike<number>} values one row or all rows */
export function largest(units, muted, values) {
  const count = units.length;
  let top = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > top && !(muted && units[i % count].special)) top = values[i];
  }
  return top;
}

/** Return the strongest pairs that are not muted, as weight, from and to. @param {Matrix} matrix @param {number} wanted */
export function strongest(matrix, wanted) {
  const { units, values, special } = matrix;
  const count = units.length;
  /** @type {[number, number, number][]} */
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
