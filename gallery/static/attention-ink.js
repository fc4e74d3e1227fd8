// The ink of attention: how strong it is for a weight, its colour, and a matrix painted with it.

/** @typedef {import("./attention-units.js").Matrix} Matrix */

/**
 * @typedef {object} Paint colours of the page
 * @property {[number, number, number]} ink red, green and blue
 * @property {string} text
 * @property {string} line
 * @property {string} paper
 * @property {string} font
 */

/** Share of its shade that a muted cell keeps. */
const MUTED = 0.3;

/** Return the shade of a weight, 0 to 1: the square root, so that faint weights are seen. @param {number} weight @param {number} top */
export function shade(weight, top) {
  return top > 0 ? Math.sqrt(Math.min(1, weight / top)) : 0;
}

/** Return the colours of the page as canvas needs them. @param {Element} element @returns {Paint} */
export function colours(element) {
  const style = getComputedStyle(element);
  const [r, g, b] = style.getPropertyValue("--attention-rgb").split(",").map(Number);
  return {
    ink: [r, g, b],
    text: style.getPropertyValue("--attention-canvas-text").trim(),
    line: style.getPropertyValue("--attention-canvas-line").trim(),
    paper: style.getPropertyValue("--attention-canvas-paper").trim(),
    font: style.fontFamily,
  };
}

/** Paint a matrix, one pixel a pair, the ink as strong as the weight. @param {Matrix} matrix @param {number} top weight at full strength @param {Paint["ink"]} ink */
export function paintCells(matrix, top, ink) {
  const count = matrix.units.length;
  const image = new ImageData(count, count);
  const { values } = matrix;
  const muted = matrix.units.map((unit) => matrix.special === "muted" && unit.special);
  for (let i = 0; i < values.length; i++) {
    const strength = muted[i % count] || muted[(i / count) | 0] ? MUTED : 1;
    image.data[4 * i] = ink[0];
    image.data[4 * i + 1] = ink[1];
    image.data[4 * i + 2] = ink[2];
    image.data[4 * i + 3] = Math.round(255 * strength * shade(values[i], top));
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.max(1, count);
  context(canvas).putImageData(image, 0, 0);
  return canvas;
}

/** Return the context that draws on a canvas. @param {HTMLCanvasElement} canvas */
export function context(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
