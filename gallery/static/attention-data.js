// One passage's attention: its files fetched, decoded and multiplied as they are asked for.

import { decodeMean, decodeProducts, decodeWeights } from "./attention-decoding.js";
import { Stretch, multiplied } from "./attention-products.js";
import { Cache } from "./cache.js";
import { parsed } from "./fetching.js";

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {import("./attention-decoding.js").Products} Products */
/** @typedef {import("./attention-files.js").ReadFile} ReadFile */
/** @typedef {{ products: Products, weights: null } | { products: null, weights: Float32Array }} Layer */

/** Bytes of unpacked layers that are kept. */
const LAYERS = 64 * 2 ** 20;

/** Bytes of multiplied matrices that are kept. */
const MATRICES = 24 * 2 ** 20;

export class AttentionData {
  /** @type {Cache<Layer>} */
  #layers = new Cache(LAYERS, (layer) => (layer.products ? 2 * layer.products.queries.byteLength : layer.weights.byteLength));
  /** @type {Cache<Float32Array>} */
  #matrices = new Cache(MATRICES, (matrix) => matrix.byteLength);
  /** @type {Map<string, Promise<Layer>>} layers on their way */
  #coming = new Map();

  /** @param {ReadFile} read @param {Index} index */
  constructor(read, index) {
    this.read = read;
    this.index = index;
    this.tokens = index.tokens.length;
  }

  /** Fetch the index of a passage. @param {ReadFile} read */
  static async open(read) {
    const text = new TextDecoder().decode(await read("index.json"));
    return new AttentionData(read, /** @type {Index} */ (parsed(text)));
  }

  /** Whether matrices are multiplied whole. */
  get whole() {
    return !this.index.sums;
  }

  /** Return a layer that this site carries. @param {number} number @returns {Promise<Layer>} */
  layer(number) {
    const file = /** @type {string} */ (this.index.files[number]);
    const kept = this.#layers.get(file);
    if (kept) return Promise.resolve(kept);
    let coming = this.#coming.get(file);
    if (!coming) {
      coming = this.#fetchLayer(file).finally(() => this.#coming.delete(file));
      this.#coming.set(file, coming);
    }
    return coming;
  }

  /** @param {string} file @returns {Promise<Layer>} */
  async #fetchLayer(file) {
    const data = await this.read(file);
    const { index } = this;
    const layer = /** @type {Layer} */ (
      index.kind === "products" ? { products: decodeProducts(data, index), weights: null } : { products: null, weights: decodeWeights(data, index, index.heads) }
    );
    this.#layers.set(file, layer);
    return layer;
  }

  /** Return the weights [tokens, tokens] of one head. @param {Layer} layer @param {number} number of the layer @param {number} head */
  #headWeights(layer, number, head) {
    const { index, tokens } = this;
    if (layer.weights) return layer.weights.subarray(head * tokens * tokens, (head + 1) * tokens * tokens);
    const key = `${number}.${head}`;
    const kept = this.#matrices.get(key);
    if (kept) return kept;
    const weights = multiplied(layer.products, index, number, head);
    this.#matrices.set(key, weights);
    return weights;
  }

  /** Return the mean [tokens, tokens] of some heads. @param {[number, number][]} heads layer and head */
  async mean(heads) {
    /** @type {Map<number, Layer>} */
    const layers = new Map();
    for (const [number] of heads) if (!layers.has(number)) layers.set(number, await this.layer(number));
    const weightsOf = (/** @type {[number, number]} */ [number, head]) => this.#headWeights(/** @type {Layer} */ (layers.get(number)), number, head);
    if (heads.length === 1) return weightsOf(heads[0]);
    const key = heads.join(";");
    const kept = this.#matrices.get(key);
    if (kept) return kept;
    const out = new Float32Array(this.tokens * this.tokens);
    for (const pair of heads) {
      const weights = weightsOf(pair);
      for (let i = 0; i < out.length; i++) out[i] += weights[i] / heads.length;
    }
    this.#matrices.set(key, out);
    return out;
  }

  /** Return some heads of a long passage, to be read by row, column and block. @param {[number, number][]} heads layer and head */
  async stretch(heads) {
    /** @type {Map<number, Products>} */
    const layers = new Map();
    for (const [number] of heads) if (!layers.has(number)) layers.set(number, /** @type {Products} */ ((await this.layer(number)).products));
    return new Stretch(this.index, layers, heads);
  }

  /** Return stored weights [tokens, tokens]: the mean of all heads, rollout, or a layer's norms. @param {"mean" | "rollout" | "norms"} name @param {number} layer */
  async stored(name, layer) {
    const file = /** @type {string} */ (name === "norms" ? this.index.norms?.[layer] : this.index[name]);
    const kept = this.#matrices.get(file);
    if (kept) return kept;
    const data = await this.read(file);
    const weights = name === "norms" ? decodeWeights(data, this.index, 1) : decodeMean(data, this.index);
    this.#matrices.set(file, weights);
    return weights;
  }
}
