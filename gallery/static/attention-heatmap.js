// One matrix of weights as a heat map on canvas: zoom, pan, a crosshair.

/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {{ from: number, to: number }} Pair */

/** Smallest cell, in CSS pixels, beside which a label fits. */
const LABELLED = 11;

/** Shade of a weight, 0 to 1: the square root, so that faint weights are seen. @param {number} weight @param {number} top */
export function shade(weight, top) {
  return top > 0 ? Math.sqrt(Math.min(1, weight / top)) : 0;
}

/** How much of its shade a muted cell keeps. */
const MUTED = 0.3;

/** The matrix as an image, one pixel a pair, the ink as strong as the weight. @param {Matrix} matrix @param {number} top @param {[number, number, number]} ink */
export function drawCells(matrix, top, ink) {
  const count = matrix.units.length;
  const image = new ImageData(count, count);
  const { values } = matrix;
  const muted = matrix.units.map((unit) => matrix.special === "muted" && unit.special);
  for (let i = 0; i < values.length; i++) {
    const quiet = muted[i % count] || muted[(i / count) | 0] ? MUTED : 1;
    image.data[4 * i] = ink[0];
    image.data[4 * i + 1] = ink[1];
    image.data[4 * i + 2] = ink[2];
    image.data[4 * i + 3] = Math.round(255 * quiet * shade(values[i], top));
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.max(1, count);
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
  return canvas;
}

/** Colours of the page, as canvas needs them. @param {Element} element */
export function colours(element) {
  const style = getComputedStyle(element);
  const [r, g, b] = style.getPropertyValue("--attention-rgb").split(",").map(Number);
  return {
    ink: /** @type {[number, number, number]} */ ([r, g, b]),
    text: style.getPropertyValue("--attention-canvas-text").trim(),
    line: style.getPropertyValue("--attention-canvas-line").trim(),
    paper: style.getPropertyValue("--attention-canvas-paper").trim(),
    font: style.fontFamily,
  };
}

export class HeatMap {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ point: (pair: Pair | null) => void, pin: (pair: Pair) => void }} told
   */
  constructor(canvas, told) {
    this.canvas = canvas;
    this.told = told;
    /** @type {Matrix | null} */
    this.matrix = null;
    /** @type {HTMLCanvasElement | null} */
    this.cells = null;
    this.top = 0;
    /** First unit seen, and how many fit. */
    this.view = { row: 0, column: 0, span: 1 };
    /** @type {Pair | null} */
    this.at = null;
    /** @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    this.moved = false;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.pointers.size || this.told.point(null));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoom(2, this.#locate(event)));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** @param {Matrix} matrix @param {number} top */
  show(matrix, top) {
    if (this.matrix?.units.length !== matrix.units.length) this.view = { row: 0, column: 0, span: matrix.units.length };
    this.matrix = matrix;
    this.top = top;
    this.cells = null;
    this.draw();
  }

  /** Draws anew, in other colours. */
  recolour() {
    this.cells = null;
    this.draw();
  }

  /** @param {Pair | null} pair */
  mark(pair) {
    this.at = pair;
    this.draw();
  }

  /** @param {number} factor @param {{ x: number, y: number }} [about] in units; the middle if left out */
  zoom(factor, about) {
    if (!this.matrix) return;
    const { view } = this;
    const middle = about ?? { x: view.column + view.span / 2, y: view.row + view.span / 2 };
    const span = Math.min(this.matrix.units.length, Math.max(4, view.span / factor));
    this.#look(middle.y - ((middle.y - view.row) * span) / view.span, middle.x - ((middle.x - view.column) * span) / view.span, span);
  }

  /** Shows all again. */
  whole() {
    if (this.matrix) this.#look(0, 0, this.matrix.units.length);
  }

  /** Brings a pair into sight. @param {Pair} pair */
  reveal(pair) {
    const { view } = this;
    const inside = (/** @type {number} */ at, /** @type {number} */ start) => at >= start && at + 1 <= start + view.span;
    if (!inside(pair.from, view.row) || !inside(pair.to, view.column)) this.#look(pair.from - view.span / 2, pair.to - view.span / 2, view.span);
  }

  /** @param {number} row @param {number} column @param {number} span */
  #look(row, column, span) {
    const count = this.matrix?.units.length ?? 1;
    const within = (/** @type {number} */ start) => Math.min(Math.max(0, start), count - span);
    this.view = { row: within(row), column: within(column), span };
    this.draw();
  }

  /** Where the cells begin, and how large one is. */
  layout() {
    const width = this.canvas.clientWidth;
    const margin = Math.min(110, Math.round(width * 0.17));
    const side = width - margin;
    return { margin, side, cell: side / this.view.span };
  }

  draw() {
    const { canvas, matrix, view, at } = this;
    const width = canvas.clientWidth;
    if (!matrix || !width) return;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = canvas.height = Math.round(width * ratio);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const paint = colours(canvas);
    this.cells ??= drawCells(matrix, this.top, paint.ink);
    const { margin, side, cell } = this.layout();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, width);
    context.fillStyle = paint.paper;
    context.fillRect(margin, margin, side, side);
    context.imageSmoothingEnabled = cell * ratio < 1;
    context.drawImage(this.cells, view.column, view.row, view.span, view.span, margin, margin, side, side);
    this.#labels(context, paint);
    if (at) this.#crosshair(context, paint, at);
  }

  /** @param {CanvasRenderingContext2D} context @param {ReturnType<typeof colours>} paint */
  #labels(context, paint) {
    const { matrix, view, at } = this;
    const { margin, side, cell } = this.layout();
    if (!matrix) return;
    context.font = `${Math.min(13, Math.max(11, cell * 0.8))}px ${paint.font}`;
    context.textBaseline = "middle";
    const every = Math.ceil((1.4 * LABELLED) / cell / 2) * 2 || 1;
    const sparse = cell < LABELLED ? every : 1;
    for (const across of [false, true]) {
      const start = across ? view.column : view.row;
      const marked = at ? (across ? at.to : at.from) : -1;
      for (let unit = Math.floor(start); unit < Math.min(start + view.span, matrix.units.length); unit++) {
        // Where names would stand too close, some are left out, and room is made for the one that is marked.
        if (unit !== marked && (unit % sparse || (marked >= 0 && Math.abs(unit - marked) < sparse))) continue;
        const middle = margin + (unit + 0.5 - start) * cell;
        if (middle < margin || middle > margin + side) continue;
        context.fillStyle = paint.text;
        context.globalAlpha = unit === marked || (marked < 0 && sparse === 1) ? 1 : 0.6;
        context.save();
        if (across) {
          context.translate(middle, margin - 6);
          context.rotate(-Math.PI / 2);
          context.textAlign = "left";
        } else {
          context.translate(margin - 6, middle);
          context.textAlign = "right";
        }
        context.fillText(matrix.units[unit].label, 0, 0, margin - 10);
        context.restore();
      }
    }
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {ReturnType<typeof colours>} paint @param {Pair} at */
  #crosshair(context, paint, at) {
    const { margin, side, cell } = this.layout();
    const x = margin + (at.to - this.view.column) * cell;
    const y = margin + (at.from - this.view.row) * cell;
    context.save();
    context.beginPath();
    context.rect(margin, margin, side, side);
    context.clip();
    context.strokeStyle = paint.line;
    context.globalAlpha = 0.45;
    context.beginPath();
    for (const [x1, y1, x2, y2] of [
      [margin, y + cell / 2, x, y + cell / 2],
      [x + cell, y + cell / 2, margin + side, y + cell / 2],
      [x + cell / 2, margin, x + cell / 2, y],
      [x + cell / 2, y + cell, x + cell / 2, margin + side],
    ]) {
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
    }
    context.stroke();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.strokeRect(x - 1, y - 1, Math.max(cell, 2) + 2, Math.max(cell, 2) + 2);
    context.restore();
  }

  /** @param {MouseEvent} event @returns {{ x: number, y: number }} in units */
  #locate(event) {
    const box = this.canvas.getBoundingClientRect();
    const { margin, cell } = this.layout();
    return { x: this.view.column + (event.clientX - box.left - margin) / cell, y: this.view.row + (event.clientY - box.top - margin) / cell };
  }

  /** @param {MouseEvent} event @returns {Pair | null} */
  pairAt(event) {
    const { x, y } = this.#locate(event);
    const { view } = this;
    if (x < view.column || y < view.row || x >= view.column + view.span || y >= view.row + view.span) return null;
    return { from: Math.floor(y), to: Math.floor(x) };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.pointers.set(event.pointerId, event);
    this.moved = false;
    // A finger scrolls the page until the map is zoomed in; then it moves the map.
    if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.told.point(this.pairAt(event));
      return;
    }
    const { cell } = this.layout();
    if (this.pointers.size === 2) {
      const other = [...this.pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      if (other) {
        const was = Math.hypot(before.clientX - other.clientX, before.clientY - other.clientY);
        const is = Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY);
        if (was > 0) this.zoom(is / was, this.#locate(event));
      }
      this.moved = true;
    } else {
      const dx = event.clientX - before.clientX;
      const dy = event.clientY - before.clientY;
      if (!this.moved && Math.hypot(dx, dy) < 4) return;
      this.moved = true;
      this.#look(this.view.row - dy / cell, this.view.column - dx / cell, this.view.span);
    }
    this.pointers.set(event.pointerId, event);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.pointers.delete(event.pointerId) || this.moved || event.type === "pointercancel") return;
    const pair = this.pairAt(event);
    if (pair) this.told.pin(pair);
  }

  /** The wheel scrolls the page; with Ctrl or ⌘, or in the focused map, it zooms. @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 300), this.#locate(event));
  }
}
