// The neuron view: a query, a key, and their elementwise product, whose sum decides the weight of a pair.

import { draw } from "./attention-reading.js";

/** @typedef {{ query: Float32Array, key: Float32Array, product: Float32Array, score: number }} Neurons */

/**
 * @param {import("./attention-data.js").Products} products @param {import("./attention-data.js").Index} index
 * @param {number} layer @param {number} head @param {number} from token @param {number} to token
 * @returns {Neurons}
 */
export function neuronsOf(products, index, layer, head, from, to) {
  const { size } = index;
  const base = head * index.tokens.length * size;
  const query = products.queries.slice(base + from * size, base + (from + 1) * size);
  const key = products.keys.slice(base + to * size, base + (to + 1) * size);
  const product = query.map((value, channel) => value * key[channel]);
  return { query, key, product, score: product.reduce((sum, value) => sum + value, 0) * index.scaling[layer] };
}

/**
 * Bars of one vector, up for plus and down for minus.
 * @param {Float32Array} values @param {number} top value at full height @param {string} title
 */
export function drawBars(values, top, title) {
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
