// <gallery-table>: the word table, sortable, following the class that the passage shows. The page brings the rows of the strongest
// words; those of the others are made from the passage when they are asked for.
import { signed } from "./shading.js";
import { GalleryWords } from "./words.js";

const BAR = 20;

export class GalleryTable extends HTMLElement {
  connectedCallback() {
    this.bodies = [...this.querySelectorAll("tbody")];
    this.headings = /** @type {HTMLElement[]} */ ([...this.querySelectorAll("th[data-sort]")]);
    this.shown = this.bodies[0]?.rows.length ?? 0;
    this.order = "size";
    for (const heading of this.headings) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      button.addEventListener("click", () => this.sort(heading.dataset.sort ?? "size"));
      heading.replaceChildren(button);
    }
    this.rest = /** @type {HTMLDetailsElement | null} */ (this.querySelector(".g-rest"));
    if (this.rest) {
      this.rest.hidden = false;
      this.rest.addEventListener("toggle", () => this.complete());
    }
    this.follow = (/** @type {Event} */ event) => this.fill(/** @type {CustomEvent} */ (event).detail);
    document.addEventListener("gallery:view", this.follow);
  }

  disconnectedCallback() {
    if (this.follow) document.removeEventListener("gallery:view", this.follow);
  }

  rows() {
    return this.bodies.flatMap((body) => [...body.rows]);
  }

  /** Make the rows that did not come with the page, once. */
  complete() {
    const words = document.querySelector("gallery-words");
    const first = this.bodies[0]?.rows[0];
    if (!this.rest || this.whole || !first || !(words instanceof GalleryWords) || !words.spans) return;
    this.whole = true;
    const there = new Set(this.rows().map((row) => Number(row.dataset.w)));
    words.spans.forEach((span, word) => {
      if (there.has(word)) return;
      const row = /** @type {HTMLTableRowElement} */ (first.cloneNode(true));
      row.dataset.w = String(word);
      row.cells[0].textContent = span.textContent;
      this.bodies[1].append(row);
    });
    const { views, locale } = words.data;
    const { values } = views[words.current];
    if (values) this.fill({ values, locale });
  }

  /** @param {string} order text, value or size */
  sort(order) {
    this.complete();
    this.order = order;
    for (const heading of this.headings) {
      if (heading.dataset.sort === order) heading.setAttribute("aria-sort", order === "text" ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    /** @type {(row: HTMLTableRowElement) => number} */
    const value = (row) => Number(row.dataset.v ?? this.initial(row));
    const number = (/** @type {HTMLTableRowElement} */ row) => Number(row.dataset.w);
    const rows = this.rows();
    rows.sort((a, b) =>
      order === "text" ? number(a) - number(b) : order === "value" ? value(b) - value(a) : Math.abs(value(b)) - Math.abs(value(a)) || number(a) - number(b),
    );
    rows.forEach((row, place) => this.bodies[place < this.shown ? 0 : this.bodies.length - 1].append(row));
  }

  /** The value printed in a row that no view has filled yet. @param {HTMLTableRowElement} row */
  initial(row) {
    return row.cells[1].textContent?.replace("\u2212", "-").replace("+", "").replace(",", ".") ?? "0";
  }

  /** @param {{values: number[], locale: string}} view */
  fill({ values, locale }) {
    this.complete();
    const total = values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const percent = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
    for (const row of this.rows()) {
      const value = values[Number(row.dataset.w)];
      row.dataset.v = String(value);
      row.cells[1].textContent = signed(value, locale, 3);
      row.cells[2].textContent = percent.format(Math.abs(value) / total);
      const bar = row.cells[3].firstElementChild;
      if (bar) bar.className = `g-bar ${value > 0 ? "g-for" : "g-against"} l${Math.round((BAR * Math.abs(value)) / largest)}`;
    }
    this.sort(this.order);
  }
}
