// <gallery-table>: the word table, sortable, following the class that the passage shows. The page brings the rows of the strongest
// words; the other rows are made from the passage when they are asked for.

import { all, only } from "./dom.js";
import { percent, written } from "./numbers.js";
import { bar, largest, total } from "./shading.js";
import { GalleryWords } from "./words.js";

/** @typedef {import("./words.js").Shown} Shown */

export class GalleryTable extends HTMLElement {
  /** @type {HTMLTableSectionElement[]} the strongest words, and the others */
  #bodies = [];
  /** @type {HTMLElement[]} */
  #headings = [];
  /** Rows that came with the page. */
  #strongest = 0;
  #order = "size";
  /** @type {HTMLDetailsElement | undefined} around the other words; absent where all have come with the page */
  #rest = undefined;
  #whole = false;
  #left = new AbortController();

  connectedCallback() {
    this.#bodies = all(this, "tbody", HTMLTableSectionElement);
    this.#headings = all(this, "th[data-sort]", HTMLElement);
    this.#strongest = this.#bodies[0]?.rows.length ?? 0;
    this.#order = "size";
    for (const heading of this.#headings) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.addEventListener("click", () => this.#sort(heading.dataset.sort ?? "size"));
      heading.replaceChildren(button);
    }
    [this.#rest] = all(this, ".g-rest", HTMLDetailsElement);
    if (this.#rest) {
      this.#rest.hidden = false;
      this.#rest.addEventListener("toggle", () => this.#complete());
    }
    this.#left = new AbortController();
    const { signal } = this.#left;
    document.addEventListener("gallery:view", (event) => this.#fill(/** @type {CustomEvent<Shown>} */ (event).detail), { signal });
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  get #rows() {
    return this.#bodies.flatMap((body) => [...body.rows]);
  }

  /** Make the rows that did not come with the page, once. */
  #complete() {
    const words = document.querySelector("gallery-words");
    const first = this.#bodies[0]?.rows[0];
    if (!this.#rest || this.#whole || !first || !(words instanceof GalleryWords) || !words.spans.length) return;
    this.#whole = true;
    const present = new Set(this.#rows.map((row) => Number(row.dataset.w)));
    words.spans.forEach((span, word) => {
      if (present.has(word)) return;
      const row = /** @type {HTMLTableRowElement} */ (first.cloneNode(true));
      row.dataset.w = String(word);
      row.cells[0].textContent = span.textContent;
      this.#bodies[1].append(row);
    });
    const shown = words.shown();
    if (shown) this.#fill(shown);
  }

  /** @param {string} order text, value or size */
  #sort(order) {
    this.#complete();
    this.#order = order;
    for (const heading of this.#headings) {
      if (heading.dataset.sort === order) heading.setAttribute("aria-sort", order === "text" ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    const value = (/** @type {HTMLTableRowElement} */ row) => Number(row.dataset.v ?? printed(row));
    const number = (/** @type {HTMLTableRowElement} */ row) => Number(row.dataset.w);
    const rows = this.#rows;
    rows.sort((a, b) =>
      order === "text" ? number(a) - number(b) : order === "value" ? value(b) - value(a) : Math.abs(value(b)) - Math.abs(value(a)) || number(a) - number(b),
    );
    rows.forEach((row, at) => this.#bodies[at < this.#strongest ? 0 : this.#bodies.length - 1].append(row));
  }

  /** Write the numbers of a view into the rows. @param {Shown} shown */
  #fill({ values, locale, signs, caption }) {
    this.#complete();
    only(this, "caption", HTMLElement).textContent = caption;
    const [whole, longest] = [total(values), largest(values)];
    for (const row of this.#rows) {
      const value = values[Number(row.dataset.w)];
      row.dataset.v = String(value);
      row.cells[1].textContent = written(value, locale, 3, signs);
      row.cells[2].textContent = percent(Math.abs(value) / whole, locale, 1);
      const first = row.cells[3].firstElementChild;
      if (first) first.className = bar(value, longest, signs);
    }
    this.#sort(this.#order);
  }
}

/** Return the value printed in a row that no view has filled yet. @param {HTMLTableRowElement} row */
function printed(row) {
  return row.cells[1].textContent?.replace("\u2212", "-").replace("+", "").replace(",", ".") ?? "0";
}
