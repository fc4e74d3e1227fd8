// The grid of all heads: the static picture cut into cells that can be pointed at, opened and put in order.

import { make } from "./attention-reading.js";

/** @typedef {import("./attention-data.js").Index} Index */
/** @typedef {(key: string, values?: Record<string, string | number>) => string} Text */

/** Pixels of a head in the picture, and of the gap; gallery/attention/picture.py draws it so. */
const [CELL, GAP] = [48, 2];

/** @param {Index} index @param {number} layer @param {number} head @param {string} name */
export function share(index, layer, head, name) {
  const names = index.summary_names;
  return index.summary[(layer * index.heads + head) * names.length + names.indexOf(name)];
}

/** What a head does, in a sentence. @param {Index} index @param {number} layer @param {number} head @param {Text} text @param {(share: number) => string} percent */
export function leaning(index, layer, head, text, percent) {
  const goals = index.summary_names.filter((name) => name !== "spread");
  const best = goals.reduce((a, b) => (share(index, layer, head, b) > share(index, layer, head, a) ? b : a));
  const much = share(index, layer, head, best);
  const spread = share(index, layer, head, "spread");
  const kind = much >= 0.25 ? "leans" : spread > 0.95 ? "even" : "wanders";
  return text(kind, { layer: layer + 1, head: head + 1, goal: text(`goal_${best}`), share: percent(much) });
}

export class HeadGrid {
  /**
   * @param {HTMLElement} figure holds the picture
   * @param {Index} index
   * @param {{ text: Text, percent: (share: number) => string, open: (layer: number, head: number, add: boolean) => void, sort: (by: string) => void }} told
   */
  constructor(figure, index, told) {
    this.figure = figure;
    this.index = index;
    this.told = told;
    const image = /** @type {HTMLImageElement} */ (figure.querySelector("img"));
    this.address = `url("${image.src}")`;
    this.table = make("div", { class: "cells", role: "group", "aria-label": image.alt });
    this.preview = make("div", { class: "preview" });
    this.sentence = make("p", { class: "sentence", "aria-live": "polite" }, told.text("grid_hint"));
    const select = make("select", {}, ...["model", ...index.summary_names].map((name) => make("option", { value: name }, told.text(`sort_${name}`))));
    select.addEventListener("change", () => told.sort(select.value));
    this.select = select;
    this.several = make("input", { type: "checkbox" });
    const board = /** @type {HTMLElement} */ (figure.querySelector(".board"));
    const aside = make("div", { class: "aside" }, make("label", { class: "sort" }, `${told.text("sort")} `, select), make("label", { class: "several" }, this.several, ` ${told.text("several")}`), this.preview, this.sentence);
    board.replaceWith(make("div", { class: "board live" }, this.table, aside));
    this.sort = "";
    /** @type {Map<string, HTMLButtonElement>} */
    this.cells = new Map();
    /** @type {HTMLButtonElement[][]} */
    this.rows = [];
    this.table.addEventListener("pointerover", (event) => this.#point(event.target));
    this.table.addEventListener("focusin", (event) => this.#point(event.target));
    this.table.addEventListener("pointerleave", () => this.#rest());
    this.table.addEventListener("click", (event) => this.#open(event.target, this.several.checked || event.ctrlKey || event.metaKey || event.shiftKey));
    this.table.addEventListener("keydown", (event) => this.#key(event));
    /** @type {[number, number][]} */
    this.open = [];
  }

  /** @param {EventTarget | null} target @returns {[number, number] | null} */
  #headOf(target) {
    const cell = target instanceof HTMLElement ? target.closest("[data-head]") : null;
    const pair = cell?.getAttribute("data-head")?.split(".").map(Number);
    return pair ? [pair[0], pair[1]] : null;
  }

  /** Layers and heads in the order asked for: heads of a layer by what they do, layers by their strongest head. @returns {[number, number][][]} */
  #order() {
    const { index, sort } = this;
    const rows = Array.from({ length: index.layers }, (_, layer) => Array.from({ length: index.heads }, (__, head) => /** @type {[number, number]} */ ([layer, head])));
    if (sort === "model") return rows;
    const value = (/** @type {[number, number]} */ [layer, head]) => share(index, layer, head, sort);
    for (const row of rows) row.sort((a, b) => value(b) - value(a) || a[1] - b[1]);
    return rows.sort((a, b) => value(b[0]) - value(a[0]) || a[0][0] - b[0][0]);
  }

  /** @param {HTMLElement} element @param {number} layer @param {number} head */
  #paint(element, layer, head) {
    const { index } = this;
    element.style.backgroundImage = this.address;
    const [columns, rows] = [index.heads * (CELL + GAP) - GAP, index.layers * (CELL + GAP) - GAP];
    element.style.backgroundSize = `${(100 * columns) / CELL}% ${(100 * rows) / CELL}%`;
    const place = (/** @type {number} */ at, /** @type {number} */ whole) => (whole > CELL ? (100 * at * (CELL + GAP)) / (whole - CELL) : 0);
    element.style.backgroundPosition = `${place(head, columns)}% ${place(layer, rows)}%`;
  }

  #fill() {
    const { index, table, told, sort } = this;
    table.style.setProperty("--heads", String(index.heads));
    this.cells.clear();
    const corner = make("span", { class: "edge" });
    const columns = Array.from({ length: index.heads }, (_, head) => make("span", { class: "edge top" }, sort === "model" ? String(head + 1) : ""));
    const order = this.#order();
    this.rows = order.map((row) =>
      row.map(([layer, head]) => {
        const here = Boolean(index.files[layer]);
        const label = `${leaning(index, layer, head, told.text, told.percent)}${here ? "" : ` ${told.text("absent", { layer: layer + 1 })}`}`;
        const cell = make("button", { type: "button", class: here ? "cell" : "cell absent", "data-head": `${layer}.${head}`, "aria-label": label, tabindex: "-1" });
        this.#paint(cell, layer, head);
        this.cells.set(`${layer}.${head}`, cell);
        return cell;
      }),
    );
    this.rows[0][0].tabIndex = 0;
    table.replaceChildren(corner, ...columns, ...this.rows.flatMap((row, i) => [make("span", { class: "edge left" }, String(order[i][0][0] + 1)), ...row]));
  }

  /** Frames the open heads. @param {[number, number][]} heads @param {string} sort */
  mark(heads, sort) {
    if (this.sort !== sort) {
      this.sort = sort;
      this.select.value = sort;
      this.#fill();
    }
    for (const cell of this.table.querySelectorAll("[aria-pressed]")) cell.removeAttribute("aria-pressed");
    for (const [layer, head] of heads) this.cells.get(`${layer}.${head}`)?.setAttribute("aria-pressed", "true");
    this.open = heads;
    this.#rest();
  }

  #rest() {
    if (this.open.length) this.#describe(...this.open[this.open.length - 1]);
  }

  /** @param {number} layer @param {number} head */
  #describe(layer, head) {
    this.#paint(this.preview, layer, head);
    this.sentence.textContent = leaning(this.index, layer, head, this.told.text, this.told.percent);
  }

  /** @param {EventTarget | null} target */
  #point(target) {
    const head = this.#headOf(target);
    if (head) this.#describe(...head);
  }

  /** @param {EventTarget | null} target @param {boolean} add */
  #open(target, add) {
    const head = this.#headOf(target);
    if (head) this.told.open(...head, add);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    /** @type {Record<string, [number, number]>} */
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.rows.findIndex((row) => row.some((cell) => cell === event.target));
    if (at < 0) return;
    const column = this.rows[at].findIndex((cell) => cell === event.target);
    const row = this.rows[Math.min(this.rows.length - 1, Math.max(0, at + step[0]))];
    const cell = row[Math.min(row.length - 1, Math.max(0, column + step[1]))];
    for (const other of this.cells.values()) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }
}
