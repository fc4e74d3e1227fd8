// Queries multiplied with keys: rows of a head's weights, and those parts of a long passage that are looked at.

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {import("./attention-decoding.js").Products} Products */

/**
 * Return the product of two vectors within longer arrays. Four sums at once keep the processor busy: twice as fast.
 * @param {Float32Array} a @param {number} i @param {Float32Array} b @param {number} j @param {number} size
 */
function dot(a, i, b, j, size) {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const end = i + size - (size % 4);
  for (; i < end; i += 4, j += 4) {
    s0 += a[i] * b[j];
    s1 += a[i + 1] * b[j + 1];
    s2 += a[i + 2] * b[j + 2];
    s3 += a[i + 3] * b[j + 3];
  }
  for (let rest = size % 4; rest > 0; rest--) s0 += a[i++] * b[j++];
  return s0 + s1 + (s2 + s3);
}

/**
 * Return the weights [tokens, tokens] of one head: the softmax of each query against all keys that its layer sees.
 * @param {Products} products of the layer @param {Index} index @param {number} layer @param {number} head
 */
export function multiplied(products, index, layer, head) {
  const tokens = index.tokens.length;
  const { queries, keys } = products;
  const { size } = index;
  const scaling = index.scaling[layer];
  const reach = index.windows[layer] ?? tokens;
  const base = head * tokens * size;
  const out = new Float32Array(tokens * tokens);
  for (let row = 0; row < tokens; row++) {
    const first = Math.max(0, row - reach);
    const last = index.causal ? row + 1 : Math.min(tokens, row + reach + 1);
    const query = base + row * size;
    const offset = row * tokens;
    let top = -Infinity;
    for (let column = first; column < last; column++) {
      const score = scaling * dot(queries, query, keys, base + column * size, size);
      out[offset + column] = score;
      if (score > top) top = score;
    }
    let sum = 0;
    for (let column = first; column < last; column++) sum += out[offset + column] = Math.exp(out[offset + column] - top);
    for (let column = first; column < last; column++) out[offset + column] /= sum;
  }
  return out;
}

/** The mean of some heads of a passage too long to be multiplied whole. */
export class Stretch {
  /** @param {Index} index @param {Map<number, Products>} layers by number @param {[number, number][]} heads layer and head */
  constructor(index, layers, heads) {
    this.index = index;
    this.layers = layers;
    this.heads = heads;
    this.tokens = index.tokens.length;
  }

  /** Return the weights of tokens [first, last) for tokens [left, right), row by row. @param {number} first @param {number} last @param {number} left @param {number} right */
  block(first, last, left, right) {
    const { index, tokens, heads } = this;
    const { size } = index;
    const out = new Float32Array((last - first) * (right - left));
    for (const [number, head] of heads) {
      const { queries, keys, sums } = /** @type {Products} */ (this.layers.get(number));
      const reach = index.windows[number] ?? tokens;
      const base = head * tokens * size;
      let cell = 0;
      for (let row = first; row < last; row++) {
        const query = base + row * size;
        const sum = /** @type {Float32Array} */ (sums)[head * tokens + row];
        for (let column = left; column < right; column++, cell++) {
          if (Math.abs(row - column) > reach || (index.causal && column > row)) continue;
          const score = dot(queries, query, keys, base + column * size, size);
          out[cell] += Math.exp(score * index.scaling[number] - sum) / heads.length;
        }
      }
    }
    return out;
  }

  /**
   * Return what tokens [first, last) attend to, rows averaged, or what attends to them, columns added up: [tokens].
   * @param {number} first @param {number} last @param {boolean} by
   */
  profile(first, last, by) {
    const { tokens } = this;
    const cells = by ? this.block(0, tokens, first, last) : this.block(first, last, 0, tokens);
    const out = new Float32Array(tokens);
    const count = last - first;
    for (let token = 0; token < tokens; token++) {
      for (let i = 0; i < count; i++) out[token] += by ? cells[token * count + i] : cells[i * tokens + token] / count;
    }
    return out;
  }

  /** Return by token how much of its attention the special tokens leave to the others. */
  leftBySpecial() {
    const { index, tokens } = this;
    const left = new Float32Array(tokens).fill(1);
    index.special.forEach((special, token) => {
      if (special) this.block(0, tokens, token, token + 1).forEach((weight, row) => (left[row] -= weight));
    });
    return left;
  }
}
