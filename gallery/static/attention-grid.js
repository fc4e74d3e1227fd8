// The grid of all heads: the static picture cut into cells that can be pointed at, opened and put in order.

import { summary } from "./attention-wording.js";
import { make, only } from "./dom.js";

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {import("./attention-state.js").Head} Head */
/** @typedef {import("./attention-wording.js").Wording} Wording */

/** Pixels of a head in the picture, and of the gap; gallery/attention/picture.py draws it so. */
const [CELL, GAP] = [48, 2];

export class HeadGrid {
  /**
   * @param {Element} figure holds the picture @param {Index} index @param {Wording} wording
   * @param {{ open: (head: Head, add: boolean) => void, sort: (by: string) => void }} told of the reader's wishes
   */
  constructor(figure, index, wording, told) {
    this.index = index;
    this.wording = wording;
    this.told = told;
    /** @type {Head[]} framed, the last one being current */
    this.open = [];
    /** @type {Map<string, HTMLButtonElement>} by layer and head */
    this.cells = new Map();
    /** @type {HTMLButtonElement[][]} in the grid's order */
    this.rows = [];
    this.sort = "";
    const image = only(figure, "img", HTMLImageElement);
    this.address = `url("${image.src}")`;
    this.table = make("div", { class: "cells", role: "group", "aria-label": image.alt });
    this.preview = make("div", { class: "preview" });
    this.sentence = make("p", { class: "sentence", "aria-live": "polite" }, wording.text("grid_hint"));
    this.select = make("select", {}, ...["model", ...index.summary_names].map((name) => make("option", { value: name }, wording.text(`sort_${name}`))));
    this.select.addEventListener("change", () => told.sort(this.select.value));
    this.several = make("input", { type: "checkbox" });
    const aside = make(
      "div",
      { class: "aside" },
      make("label", { class: "sort" }, `${wording.text("sort")} `, this.select),
      make("label", { class: "several" }, this.several, ` ${wording.text("several")}`),
      this.preview,
      this.sentence,
    );
    /** The static picture stays until the grid is filled. */
    this.board = only(figure, ".board", Element);
    this.live = make("div", { class: "board live" }, this.table, aside);
    this.table.addEventListener("pointerover", (event) => this.#point(event.target));
    this.table.addEventListener("focusin", (event) => this.#point(event.target));
    this.table.addEventListener("pointerleave", () => this.#rest());
    this.table.addEventListener("click", (event) => this.#open(event.target, this.several.checked || event.ctrlKey || event.metaKey || event.shiftKey));
    this.table.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Return the head of a cell. @param {EventTarget | null} target @returns {Head | null} */
  #headOf(target) {
    const cell = target instanceof HTMLElement ? target.closest("[data-head]") : null;
    const pair = cell?.getAttribute("data-head")?.split(".").map(Number);
    return pair ? [pair[0], pair[1]] : null;
  }

  /** Return the heads by layer, in the reader's order: heads of a layer by their share, layers by their strongest head. @returns {Head[][]} */
  #order() {
    const { index, sort } = this;
    const rows = Array.from({ length: index.layers }, (_, layer) => Array.from({ length: index.heads }, (__, head) => /** @type {Head} */ ([layer, head])));
    if (sort === "model") return rows;
    const value = (/** @type {Head} */ head) => summary(index, head, sort);
    for (const row of rows) row.sort((a, b) => value(b) - value(a) || a[1] - b[1]);
    return rows.sort((a, b) => value(b[0]) - value(a[0]) || a[0][0] - b[0][0]);
  }

  /** Show a head's part of the picture. @param {HTMLElement} element @param {Head} head */
  #paint(element, [layer, head]) {
    const { index } = this;
    element.style.backgroundImage = this.address;
    const [columns, rows] = [index.heads * (CELL + GAP) - GAP, index.layers * (CELL + GAP) - GAP];
    element.style.backgroundSize = `${(100 * columns) / CELL}% ${(100 * rows) / CELL}%`;
    const offset = (/** @type {number} */ number, /** @type {number} */ whole) => (whole > CELL ? (100 * number * (CELL + GAP)) / (whole - CELL) : 0);
    element.style.backgroundPosition = `${offset(head, columns)}% ${offset(layer, rows)}%`;
  }

  /** Put the cells in order. */
  #fill() {
    const { index, table, wording, sort } = this;
    table.style.setProperty("--heads", String(index.heads));
    this.cells.clear();
    const corner = make("span", { class: "edge" });
    const columns = Array.from({ length: index.heads }, (_, head) => make("span", { class: "edge top" }, sort === "model" ? String(head + 1) : ""));
    const order = this.#order();
    this.rows = order.map((row) =>
      row.map(([layer, head]) => {
        const present = Boolean(index.files[layer]);
        const label = `${wording.leaning(index, [layer, head])}${present ? "" : ` ${wording.text("absent", { layer: layer + 1 })}`}`;
        const cell = make("button", { type: "button", class: present ? "cell" : "cell absent", "data-head": `${layer}.${head}`, "aria-label": label, tabindex: "-1" });
        this.#paint(cell, [layer, head]);
        this.cells.set(`${layer}.${head}`, cell);
        return cell;
      }),
    );
    this.rows[0][0].tabIndex = 0;
    table.replaceChildren(corner, ...columns, ...this.rows.flatMap((row, i) => [make("span", { class: "edge left" }, String(order[i][0][0] + 1)), ...row]));
  }

  /** Frame the open heads, in an order. @param {Head[]} heads @param {string} sort */
  mark(heads, sort) {
    if (this.sort !== sort) {
      this.sort = sort;
      this.select.value = sort;
      this.#fill();
      this.board.replaceWith(this.live);
    }
    for (const cell of this.table.querySelectorAll("[aria-pressed]")) cell.removeAttribute("aria-pressed");
    for (const [layer, head] of heads) this.cells.get(`${layer}.${head}`)?.setAttribute("aria-pressed", "true");
    this.open = heads;
    this.#rest();
  }

  /** Describe the current head, while none is pointed at. */
  #rest() {
    if (this.open.length) this.#describe(this.open[this.open.length - 1]);
  }

  /** @param {Head} head */
  #describe(head) {
    this.#paint(this.preview, head);
    this.sentence.textContent = this.wording.leaning(this.index, head);
  }

  /** @param {EventTarget | null} target */
  #point(target) {
    const head = this.#headOf(target);
    if (head) this.#describe(head);
  }

  /** @param {EventTarget | null} target @param {boolean} add */
  #open(target, add) {
    const head = this.#headOf(target);
    if (head) this.told.open(head, add);
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
