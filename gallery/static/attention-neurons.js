// The neuron view: a query, a key, and their elementwise product, whose sum decides the weight of a pair.

import { shownHeads } from "./attention-state.js";
import { draw, make } from "./dom.js";

/** @typedef {import("./attention-data.js").AttentionData} AttentionData */
/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {import("./attention-decoding.js").Products} Products */
/** @typedef {import("./attention-selection.js").Selection} Selection */
/** @typedef {import("./attention-state.js").Head} Head */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-units.js").Unit} Unit */
/** @typedef {import("./attention-wording.js").Wording} Wording */
/** @typedef {{ from: number, to: number, query: Float32Array, key: Float32Array, product: Float32Array, score: number }} Neurons of two tokens */

export class NeuronsView {
  /** @param {Wording} wording @param {Selection} selection @param {AttentionData} data @param {{ pin: (pair: Pair) => void, sayPair: (pair: Pair) => void }} told */
  constructor(wording, selection, data, told) {
    this.wording = wording;
    this.selection = selection;
    this.data = data;
    this.told = told;
    this.drawing = make("div", { class: "neurons" });
    this.element = make("div", { class: "view", "data-view": "neurons" }, this.drawing);
  }

  async show() {
    const { data, selection, wording } = this;
    const heads = shownHeads(selection.state, data.index);
    if (data.index.kind === "weights") return this.drawing.replaceChildren(make("p", {}, wording.text("neurons_none")));
    if (!heads || heads.length > 1) return this.drawing.replaceChildren(make("p", {}, wording.text("neurons_one")));
    const { products } = await data.layer(heads[0][0]); // it has come already, for the weights
    return products ? this.#draw(this.#pair(), heads[0], products) : undefined;
  }

  /** Return the held pair; for a held unit, or one pointed at, the pair with the unit it looks at most. @returns {Pair} */
  #pair() {
    const { weights, anchor, state } = this.selection;
    const held = weights.unitOf(state.to);
    if (held >= 0) return { from: anchor, to: held };
    const { units, muted } = weights;
    const first = Math.max(0, units.findIndex((unit) => !unit.special));
    const values = weights.profile(anchor, false);
    return { from: anchor, to: values.reduce((best, value, unit) => (value > values[best] && !(muted && units[unit].special) ? unit : best), first) };
  }

  /** @param {Pair} pair @param {Head} head @param {Products} products of the layer */
  #draw(pair, head, products) {
    const { wording, data } = this;
    const { units } = this.selection.weights;
    const { tokens } = data.index;
    const best = strongestNeurons(products, data.index, head, units[pair.from], units[pair.to]);
    const top = (/** @type {Float32Array} */ values) => values.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
    const scale = Math.max(top(best.query), top(best.key));
    const row = (/** @type {string} */ name, /** @type {Float32Array} */ values, /** @type {number} */ longest, /** @type {(Node | string)[]} */ ...words) => {
      const label = wording.text(`neurons_${name}`);
      return make("div", { class: "neuron" }, make("p", {}, make("b", {}, label), " ", ...words), drawBars(values, longest, label));
    };
    const score = new Intl.NumberFormat(wording.locale, { maximumFractionDigits: 2 }).format(best.score);
    this.drawing.replaceChildren(
      row("query", best.query, scale, this.#choice("query", pair.from, (from) => ({ ...pair, from })), ` ${tokens[best.from]}`),
      row("key", best.key, scale, this.#choice("key", pair.to, (to) => ({ ...pair, to })), ` ${tokens[best.to]}`),
      row("product", best.product, top(best.product), wording.text("neurons_score", { score })),
      make("p", { class: "how" }, wording.text("neurons_note")),
    );
    this.told.sayPair(pair);
  }

  /** Make the list of units from which the query or the key is chosen. @param {"query" | "key"} name @param {number} chosen @param {(unit: number) => Pair} pairOf a choice */
  #choice(name, chosen, pairOf) {
    const options = this.selection.weights.units.map((unit, number) => make("option", { value: String(number) }, unit.label));
    const select = make("select", { "aria-label": this.wording.text(`neurons_${name}`) }, ...options);
    select.value = String(chosen);
    select.addEventListener("change", () => this.told.pin(pairOf(Number(select.value))));
    return select;
  }
}

/** Return the neurons of the two tokens with the greatest score. @param {Products} products @param {Index} index @param {Head} head @param {Unit} from @param {Unit} to */
function strongestNeurons(products, index, head, from, to) {
  let best = neuronsOf(products, index, head, from.first, to.first);
  for (let i = from.first; i < from.last; i++) {
    for (let j = to.first; j < to.last; j++) {
      const other = neuronsOf(products, index, head, i, j);
      if (other.score > best.score) best = other;
    }
  }
  return best;
}

/** @param {Products} products of the layer @param {Index} index @param {Head} head @param {number} from token @param {number} to token @returns {Neurons} */
function neuronsOf(products, index, [layer, head], from, to) {
  const { size } = index;
  const base = head * index.tokens.length * size;
  const query = products.queries.slice(base + from * size, base + (from + 1) * size);
  const key = products.keys.slice(base + to * size, base + (to + 1) * size);
  const product = query.map((value, channel) => value * key[channel]);
  return { from, to, query, key, product, score: product.reduce((sum, value) => sum + value, 0) * index.scaling[layer] };
}

/** Draw a vector as bars, up for plus and down for minus. @param {Float32Array} values @param {number} top value at full height @param {string} title */
function drawBars(values, top, title) {
  const [width, height] = [640, 64];
  const step = width / values.length;
  const middle = height / 2;
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "bars", role: "img", "aria-label": title, preserveAspectRatio: "none" });
  values.forEach((value, channel) => {
    const tall = Math.min(1, Math.abs(value) / (top || 1)) * (middle - 1);
    const bar = draw("rect", {
      x: (channel * step + step * 0.1).toFixed(2),
      y: (value < 0 ? middle : middle - tall).toFixed(2),
      width: (step * 0.8).toFixed(2),
      height: tall.toFixed(2),
      class: value < 0 ? "minus" : "plus",
    });
    bar.append(draw("title", {}, `${channel + 1}: ${value.toFixed(3)}`));
    picture.append(bar);
  });
  picture.append(draw("line", { x1: 0, x2: width, y1: middle, y2: middle, class: "axis" }));
  return picture;
}
