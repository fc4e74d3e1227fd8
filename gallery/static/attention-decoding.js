// The written format of a passage's attention. gallery/attention/encoding.py writes it, and its Reader does the same in Python.

import { FetchError } from "./failure.js";

/**
 * @typedef {object} Index of a passage's files
 * @property {"products" | "weights"} kind
 * @property {"int8" | "exact"} precision
 * @property {number} layers
 * @property {number} heads
 * @property {number} size of a head
 * @property {string[]} tokens
 * @property {(string | null)[]} files by layer; null for a layer that is not in this site
 * @property {string | null} mean
 * @property {string | null} rollout
 * @property {string[]} [norms] files of norm-based attention by layer, where the gallery has them
 * @property {number[]} scaling by layer
 * @property {boolean} sums whether rows are known without multiplying them: the passage is long
 * @property {boolean} [shares] whether stored rows add up to less than 1: the passage goes on beyond the stored tokens
 * @property {(number | null)[]} windows by layer, how far to either side a local layer sees
 * @property {boolean} [causal] whether no token attends to later ones
 * @property {string} text
 * @property {[number, number][]} offsets by token, in UTF-16 units of text
 * @property {[number, number][]} words
 * @property {number[]} token_words -1 for special tokens
 * @property {number[]} special 0 or 1 by token
 * @property {string[]} summary_names
 * @property {number[]} summary [layers, heads, names]
 *
 * @typedef {object} Products queries and keys of one layer, [heads, tokens, size] each
 * @property {Float32Array} queries
 * @property {Float32Array} keys
 * @property {Float32Array | null} sums [heads, tokens] log of the sum of exponentials of a token's scores
 */

/** Throw FetchError where a file is longer or shorter than its index says. @param {Uint8Array} data @param {number} wanted bytes */
function checkLength(data, wanted) {
  if (data.length !== wanted) throw new FetchError(`${data.length}/${wanted}`);
}

/**
 * Decode queries and keys. The file, queries before keys: float32 steps [2, heads]; int16 means [2, heads, size]; low bytes, then high
 * bytes, [2, heads, size, tokens] each; float32 sums where the index has them. Throws FetchError where the file is damaged.
 * @param {Uint8Array} data @param {Index} index @returns {Products}
 */
export function decodeProducts(data, index) {
  const { heads, size } = index;
  const tokens = index.tokens.length;
  const count = 2 * heads * size * tokens;
  const low = 8 * heads + 4 * heads * size;
  const high = low + count;
  checkLength(data, high + count + (index.sums ? 4 * heads * tokens : 0));
  const view = new DataView(data.buffer, data.byteOffset);
  /** @type {Float32Array[]} */
  const halves = [];
  for (let half = 0; half < 2; half++) {
    const vectors = new Float32Array(heads * tokens * size);
    for (let head = 0; head < heads; head++) {
      const step = view.getFloat32(4 * (half * heads + head), true);
      for (let channel = 0; channel < size; channel++) {
        const from = ((half * heads + head) * size + channel) * tokens;
        const mean = view.getInt16(8 * heads + 2 * ((half * heads + head) * size + channel), true) - 128;
        let to = head * tokens * size + channel;
        for (let token = 0; token < tokens; token++, to += size) {
          const top = (data[high + from + token] << 24) >> 24;
          vectors[to] = (data[low + from + token] + 256 * top + mean) * step;
        }
      }
    }
    halves.push(vectors);
  }
  const sums = index.sums ? new Float32Array(data.slice(high + count).buffer) : null;
  return { queries: halves[0], keys: halves[1], sums };
}

/**
 * Decode round(255·√a), with rows that add up to 1 again, or to their shares. Throws FetchError where the file is damaged.
 * @param {Uint8Array} data @param {Index} index @param {number} matrices [tokens, tokens] in the file
 */
export function decodeWeights(data, index, matrices) {
  const tokens = index.tokens.length;
  const rows = matrices * tokens;
  checkLength(data, rows * (tokens + (index.shares ? 4 : 0)));
  const weights = new Float32Array(rows * tokens);
  const shares = index.shares ? new Float32Array(data.slice(rows * tokens).buffer) : null;
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * tokens, (row + 1) * tokens];
    let sum = 0;
    for (let i = start; i < end; i++) sum += data[i] * data[i];
    const scale = sum ? (shares?.[row] ?? 1) / sum : 0;
    for (let i = start; i < end; i++) weights[i] = data[i] * data[i] * scale;
  }
  return weights;
}

/**
 * Decode the mean of all heads, or rollout, [tokens, tokens]: round(ln(largest of the row / a) / step) as low bytes, then high bytes;
 * 65535 for no weight. Rows add up to 1 again, or to their shares. Throws FetchError where the file is damaged.
 * @param {Uint8Array} data @param {Index} index
 */
export function decodeMean(data, index) {
  const tokens = index.tokens.length;
  const count = tokens * tokens;
  const step = index.precision === "exact" ? 1 / 4096 : 1 / 256;
  checkLength(data, 2 * count + (index.shares ? 4 * tokens : 0));
  const weights = new Float32Array(count);
  const shares = index.shares ? new Float32Array(data.slice(2 * count).buffer) : null;
  for (let row = 0; row < tokens; row++) {
    const [start, end] = [row * tokens, (row + 1) * tokens];
    let sum = 0;
    for (let i = start; i < end; i++) {
      const code = data[i] + 256 * data[count + i];
      weights[i] = code < 65535 ? Math.exp(-code * step) : 0;
      sum += weights[i];
    }
    const scale = sum ? (shares?.[row] ?? 1) / sum : 0;
    for (let i = start; i < end; i++) weights[i] *= scale;
  }
  return weights;
}
