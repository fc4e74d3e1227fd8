// A matrix of weights as a heat map on canvas: which part of it is in sight, and the drawing of that part.

import { followGestures } from "./attention-gestures.js";
import { drawCrosshair, drawLabels } from "./attention-heatmap-drawing.js";
import { colours, context, paintCells } from "./attention-ink.js";

/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {{ x: number, y: number }} Point on the map, in units */

/**
 * @typedef {object} Layout in CSS pixels
 * @property {number} margin left of the cells and above them
 * @property {number} side of all cells in sight
 * @property {number} cell side of one cell
 */

/** Fewest units in sight. */
const CLOSEST = 4;

export class HeatMap {
  /** @type {Matrix | null} */
  matrix = null;
  /** @type {HTMLCanvasElement | null} the matrix, one pixel a pair */
  #cells = null;
  /** Weight at full shade. */
  #top = 0;
  /** First units in sight, and how many. */
  view = { row: 0, column: 0, span: 1 };
  /** @type {Pair | null} under the crosshair */
  marked = null;

  /** @param {HTMLCanvasElement} canvas @param {{ point: (pair: Pair | null) => void, pin: (pair: Pair) => void }} told of the reader's pointer */
  constructor(canvas, told) {
    this.canvas = canvas;
    followGestures(this, told);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** @param {Matrix} matrix @param {number} top weight at full shade */
  show(matrix, top) {
    if (this.matrix?.units.length !== matrix.units.length) this.view = { row: 0, column: 0, span: matrix.units.length };
    this.matrix = matrix;
    this.#top = top;
    this.recolour();
  }

  /** Draw anew, in the page's colours. */
  recolour() {
    this.#cells = null;
    this.draw();
  }

  /** Put the crosshair on a pair, or take it away. @param {Pair | null} pair */
  mark(pair) {
    this.marked = pair;
    this.draw();
  }

  /** @param {number} factor @param {Point} [about] stays where it is; the middle if left out */
  zoom(factor, about) {
    if (!this.matrix) return;
    const { view } = this;
    const middle = about ?? { x: view.column + view.span / 2, y: view.row + view.span / 2 };
    const span = Math.min(this.matrix.units.length, Math.max(CLOSEST, view.span / factor));
    this.look(middle.y - ((middle.y - view.row) * span) / view.span, middle.x - ((middle.x - view.column) * span) / view.span, span);
  }

  /** Bring the whole matrix into sight. */
  whole() {
    if (this.matrix) this.look(0, 0, this.matrix.units.length);
  }

  /** Bring a pair into sight. @param {Pair} pair */
  reveal(pair) {
    const { view } = this;
    const inSight = (/** @type {number} */ unit, /** @type {number} */ start) => unit >= start && unit + 1 <= start + view.span;
    if (!inSight(pair.from, view.row) || !inSight(pair.to, view.column)) this.look(pair.from - view.span / 2, pair.to - view.span / 2, view.span);
  }

  /** Bring a part into sight, moved so that it lies within the matrix. @param {number} row @param {number} column @param {number} span in units */
  look(row, column, span) {
    const count = this.matrix?.units.length ?? 1;
    const within = (/** @type {number} */ start) => Math.min(Math.max(0, start), count - span);
    this.view = { row: within(row), column: within(column), span };
    this.draw();
  }

  /** @returns {Layout} */
  layout() {
    const width = this.canvas.clientWidth;
    const margin = Math.min(110, Math.round(width * 0.17));
    const side = width - margin;
    return { margin, side, cell: side / this.view.span };
  }

  draw() {
    const { canvas, matrix, view, marked } = this;
    const width = canvas.clientWidth;
    if (!matrix || !width) return;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = canvas.height = Math.round(width * ratio);
    // A finger scrolls the page past the whole map, and moves a map that is zoomed in.
    canvas.style.touchAction = view.span < matrix.units.length ? "none" : "pan-y";
    const paint = colours(canvas);
    this.#cells ??= paintCells(matrix, this.#top, paint.ink);
    const layout = this.layout();
    const { margin, side, cell } = layout;
    const pen = context(canvas);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, width);
    pen.fillStyle = paint.paper;
    pen.fillRect(margin, margin, side, side);
    pen.imageSmoothingEnabled = cell * ratio < 1;
    pen.drawImage(this.#cells, view.column, view.row, view.span, view.span, margin, margin, side, side);
    drawLabels(pen, paint, layout, view, matrix.units, marked);
    if (marked) drawCrosshair(pen, paint, layout, view, marked);
  }

  /** Return the point of the map under a pointer. @param {MouseEvent} event @returns {Point} */
  locate(event) {
    const box = this.canvas.getBoundingClientRect();
    const { margin, cell } = this.layout();
    return { x: this.view.column + (event.clientX - box.left - margin) / cell, y: this.view.row + (event.clientY - box.top - margin) / cell };
  }

  /** Return the pair under a pointer, null outside the cells. @param {MouseEvent} event @returns {Pair | null} */
  pairAt(event) {
    const { x, y } = this.locate(event);
    const { view } = this;
    if (!this.matrix || x < view.column || y < view.row || x >= view.column + view.span || y >= view.row + view.span) return null;
    return { from: Math.floor(y), to: Math.floor(x) };
  }
}
