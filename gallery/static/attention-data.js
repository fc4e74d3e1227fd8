// The published files of one passage's attention, read and multiplied back. gallery/attention/encoding.py writes them, and its
// Reader does the same in Python.
import { gunzipped } from "./packed.js";

/**
 * @typedef {object} Index
 * @property {"products" | "weights"} kind
 * @property {number} layers
 * @property {number} heads
 * @property {number} size of a head
 * @property {string[]} tokens
 * @property {(string | null)[]} files one a layer; null for a layer that is not in this site
 * @property {string | null} mean
 * @property {string | null} rollout
 * @property {number[]} scaling by layer
 * @property {boolean} sums whether rows are known without multiplying them: the passage is long
 * @property {boolean} [shares] whether stored rows add up to less than 1: the passage goes on beyond what is here
 * @property {(number | null)[]} windows by layer: how far to either side a local layer sees
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
 *
 * @typedef {{ products: Products | null, weights: Float32Array | null, bytes: number }} Layer
 */

/** Bytes of unpacked layers kept before the one longest unused is let go. */
const KEPT = 64 * 2 ** 20;

/** Bytes of multiplied matrices kept likewise. */
const KEPT_MATRICES = 24 * 2 ** 20;

/** A map that forgets what was longest unused when it weighs too much. @template T */
class Shelf {
  /** @param {number} bound @param {(value: T) => number} weigh */
  constructor(bound, weigh) {
    this.bound = bound;
    this.weigh = weigh;
    /** @type {Map<string, T>} */
    this.values = new Map();
  }

  /** @param {string} key @returns {T | undefined} */
  get(key) {
    const value = this.values.get(key);
    if (value !== undefined) {
      this.values.delete(key);
      this.values.set(key, value);
    }
    return value;
  }

  /** @param {string} key @param {T} value */
  set(key, value) {
    this.values.set(key, value);
    let total = 0;
    for (const kept of this.values.values()) total += this.weigh(kept);
    for (const [old, kept] of this.values) {
      if (total <= this.bound || old === key) break;
      this.values.delete(old);
      total -= this.weigh(kept);
    }
  }
}

/** What could not be had from the server: it is said on the page, and can be tried again. */
export class FetchError extends Error {}

/**
 * Gives one of a passage's files, packed or not; the only way in which data come.
 * @typedef {(name: string) => Promise<Uint8Array>} Source
 */

/** The source that asks the server. @param {string} folder address that ends in a slash @returns {Source} */
export function served(folder) {
  const base = new URL(folder, document.baseURI);
  return async (name) => {
    const response = await fetch(new URL(name, base));
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    return new Uint8Array(await response.arrayBuffer());
  };
}

/** How `src` begins where the page itself holds the files, as base64 in scripts: gallery/site/build/export.py writes such pages. */
export const HELD = "held:";

/** The source that reads what the page holds. @param {string} folder as the scripts name it @returns {Source} */
export function held(folder) {
  return async (name) => {
    const script = document.querySelector(`script[data-file="${CSS.escape(folder + name)}"]`);
    if (!script) throw new Error(name);
    return Uint8Array.from(atob(script.textContent?.trim() ?? ""), (character) => character.charCodeAt(0));
  };
}

/** Asks for a file and unpacks it, unless the server has unpacked it already. @param {Source} source @param {string} name */
async function unpacked(source, name) {
  try {
    const bytes = await source(name);
    return await gunzipped(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  } catch (error) {
    throw new FetchError(error instanceof Error ? error.message : String(error));
  }
}

/** @param {Uint8Array} data @param {Index} index @returns {Products} */
export function decodeProducts(data, index) {
  const { heads, size } = index;
  const tokens = index.tokens.length;
  const view = new DataView(data.buffer, data.byteOffset);
  const count = 2 * heads * size * tokens;
  const low = 8 * heads + 4 * heads * size;
  const high = low + count;
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

/** Decodes round(255·√a) with rows that add up to 1 again, or to their shares. @param {Uint8Array} data @param {Index} index */
export function decodeWeights(data, index) {
  const tokens = index.tokens.length;
  const rows = data.length / (tokens + (index.shares ? 4 : 0));
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
 * The product of two vectors within longer arrays. Four sums at once keep the processor busy: twice as fast.
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
 * Writes the softmax of one query against all keys of its head.
 * @param {Products} products
 * @param {{ head: number, row: number, tokens: number, size: number, scaling: number, reach: number | null }} at
 * @param {Float32Array} out
 * @param {number} offset
 */
function productRow(products, at, out, offset) {
  const { row, tokens, size, scaling } = at;
  const { queries, keys } = products;
  const base = at.head * tokens * size;
  const first = at.reach === null ? 0 : Math.max(0, row - at.reach);
  const last = at.reach === null ? tokens : Math.min(tokens, row + at.reach + 1);
  const query = base + row * size;
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

/** What the element asks: the index, and weights of a head, of several, of a layer, of all, or rolled out. */
export class AttentionData {
  /** @param {Source} source of the files @param {Index} index */
  constructor(source, index) {
    this.source = source;
    this.index = index;
    this.tokens = index.tokens.length;
    /** @type {Shelf<Layer>} */
    this.layers = new Shelf(KEPT, (layer) => layer.bytes);
    /** @type {Shelf<Float32Array>} */
    this.matrices = new Shelf(KEPT_MATRICES, (matrix) => matrix.byteLength);
    /** @type {Map<string, Promise<Layer>>} */
    this.underway = new Map();
  }

  /** @param {Source} source */
  static async open(source) {
    const data = await unpacked(source, "index.json");
    return new AttentionData(source, /** @type {Index} */ (JSON.parse(new TextDecoder().decode(data))));
  }

  /** Whether matrices are multiplied whole. */
  get whole() {
    return !this.index.sums;
  }

  /** @param {number} number of a layer that is in this site @returns {Promise<Layer>} */
  layer(number) {
    const file = /** @type {string} */ (this.index.files[number]);
    const kept = this.layers.get(file);
    if (kept) return Promise.resolve(kept);
    let coming = this.underway.get(file);
    if (!coming) {
      coming = this.#fetchLayer(file).finally(() => this.underway.delete(file));
      this.underway.set(file, coming);
    }
    return coming;
  }

  /** @param {string} file @returns {Promise<Layer>} */
  async #fetchLayer(file) {
    const data = await unpacked(this.source, file);
    const products = this.index.kind === "products" ? decodeProducts(data, this.index) : null;
    const weights = products ? null : decodeWeights(data, this.index);
    const bytes = products ? 2 * products.queries.byteLength : /** @type {Float32Array} */ (weights).byteLength;
    const layer = { products, weights, bytes };
    this.layers.set(file, layer);
    return layer;
  }

  /**
   * Weights [T, T] of one head of a layer that is here.
   * @param {Layer} layer @param {number} number of the layer @param {number} head
   */
  headWeights(layer, number, head) {
    const { tokens } = this;
    if (layer.weights) return layer.weights.subarray(head * tokens * tokens, (head + 1) * tokens * tokens);
    const key = `${number}.${head}`;
    const kept = this.matrices.get(key);
    if (kept) return kept;
    const out = new Float32Array(tokens * tokens);
    for (let row = 0; row < tokens; row++) this.#row(layer, number, head, row, out, row * tokens);
    this.matrices.set(key, out);
    return out;
  }

  /** @param {Layer} layer @param {number} number @param {number} head @param {number} row @param {Float32Array} out @param {number} offset */
  #row(layer, number, head, row, out, offset) {
    const { index, tokens } = this;
    const at = { head, row, tokens, size: index.size, scaling: index.scaling[number], reach: index.windows[number] };
    productRow(/** @type {Products} */ (layer.products), at, out, offset);
  }

  /**
   * Weights [T, T], the mean of some heads.
   * @param {[number, number][]} heads layer and head
   */
  async mean(heads) {
    const layers = new Map();
    for (const [number] of heads) if (!layers.has(number)) layers.set(number, await this.layer(number));
    if (heads.length === 1) return this.headWeights(layers.get(heads[0][0]), ...heads[0]);
    const key = heads.join(";");
    const kept = this.matrices.get(key);
    if (kept) return kept;
    const out = new Float32Array(this.tokens * this.tokens);
    for (const [number, head] of heads) {
      const weights = this.headWeights(layers.get(number), number, head);
      for (let i = 0; i < out.length; i++) out[i] += weights[i] / heads.length;
    }
    this.matrices.set(key, out);
    return out;
  }

  /** Some heads of a long passage, to be read by row, column and block. @param {[number, number][]} heads */
  async stretch(heads) {
    /** @type {Map<number, Products>} */
    const layers = new Map();
    for (const [number] of heads) if (!layers.has(number)) layers.set(number, /** @type {Products} */ ((await this.layer(number)).products));
    return new Stretch(this.index, layers, heads);
  }

  /** Weights [T, T] that were stored: the mean of all heads, or rollout. @param {"mean" | "rollout"} name */
  async stored(name) {
    const kept = this.matrices.get(name);
    if (kept) return kept;
    const file = /** @type {string} */ (this.index[name]);
    const weights = decodeWeights(await unpacked(this.source, file), this.index);
    this.matrices.set(name, weights);
    return weights;
  }
}

/** The mean of some heads of a passage too long to be multiplied whole. */
export class Stretch {
  /** @param {Index} index @param {Map<number, Products>} layers @param {[number, number][]} heads */
  constructor(index, layers, heads) {
    this.index = index;
    this.layers = layers;
    this.heads = heads;
    this.tokens = index.tokens.length;
  }

  /** Weights of tokens [first, last) for tokens [left, right), row by row. @param {number} first @param {number} last @param {number} left @param {number} right */
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
          if (Math.abs(row - column) > reach) continue;
          const score = dot(queries, query, keys, base + column * size, size);
          out[cell] += Math.exp(score * index.scaling[number] - sum) / heads.length;
        }
      }
    }
    return out;
  }

  /** What tokens attend to, or what attends to them, [T]: rows averaged, columns added up. @param {number} first @param {number} last @param {boolean} by */
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
}
