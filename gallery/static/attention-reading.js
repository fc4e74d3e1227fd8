// The passage as running text that lights up by the attention of a unit.

import { shade } from "./attention-ink.js";
import { make } from "./dom.js";

/** @typedef {import("./attention-units.js").Unit} Unit */

/** Every unit is a span that can be pointed at, focused and tapped; one of them is a tab stop. */
export class ReadingView {
  /** @type {HTMLElement[]} by unit */
  #spans = [];
  /** @type {number[]} shade of each span in hundredths, so that only spans that change are touched */
  #shades = [];
  /** Unit whose attention is shown, -1 if none. */
  #anchor = -1;

  /** @param {{ point: (unit: number | null) => void, pin: (unit: number) => void }} told of the reader's pointer */
  constructor(told) {
    this.text = make("div", { class: "passage" });
    this.element = make("div", { class: "view", "data-view": "reading" }, this.text);
    const unitAt = (/** @type {Event} */ event) => {
      const span = event.target instanceof Element ? event.target.closest("[data-unit]") : null;
      return span instanceof HTMLElement ? Number(span.dataset.unit) : null;
    };
    this.text.addEventListener("pointerover", (event) => event.pointerType === "mouse" && told.point(unitAt(event)));
    this.text.addEventListener("pointerleave", () => told.point(null));
    // Focus that a finger brings comes before its click, and what it wrote would move the word from under the finger.
    this.text.addEventListener("focusin", (event) => {
      const unit = unitAt(event);
      if (unit !== null) this.#stop(unit);
      if (event.target instanceof Element && event.target.matches(":focus-visible")) told.point(unit);
    });
    this.text.addEventListener("focusout", () => told.point(null));
    this.text.addEventListener("click", (event) => {
      const unit = unitAt(event);
      if (unit !== null) told.pin(unit);
    });
  }

  /** Write the passage, unlit. @param {string} text @param {Unit[]} units @param {boolean} muted whether special tokens are */
  write(text, units, muted) {
    let cursor = 0;
    /** @type {(Node | string)[]} */
    const pieces = [];
    this.#spans = units.map((unit, number) => {
      const start = Math.max(cursor, unit.start);
      let label = unit.special ? unit.label : text.slice(start, unit.end);
      if (!unit.special) {
        const lead = label.length - label.trimStart().length;
        pieces.push(text.slice(cursor, start + lead));
        cursor = Math.max(cursor, unit.end);
        label = label.trim();
      }
      // A token without a character of its own, such as the second byte of a letter, can still be pointed at.
      const kind = unit.special ? `unit special${muted ? " muted" : ""}` : label ? "unit" : "unit bare";
      const span = make("span", { class: kind, "data-unit": String(number), tabindex: "-1", role: "button" }, label || "·");
      if (!label) span.title = unit.label;
      pieces.push(span);
      if (unit.special) pieces.push(" ");
      return span;
    });
    pieces.push(make("span", { class: "unread" }, text.slice(cursor)));
    this.#shades = units.map(() => 0);
    this.#anchor = -1;
    this.text.replaceChildren(...pieces);
    this.#stop(Math.max(0, units.findIndex((unit) => !unit.special)));
  }

  /** Make a unit the passage's only tab stop. @param {number} unit */
  #stop(unit) {
    for (const span of this.text.querySelectorAll("[tabindex='0']")) if (span instanceof HTMLElement) span.tabIndex = -1;
    if (this.#spans[unit]) this.#spans[unit].tabIndex = 0;
  }

  /** Focus the unit that is so many steps from another. @param {number} unit @param {number} step */
  focusFrom(unit, step) {
    this.#spans[Math.max(0, Math.min(this.#spans.length - 1, unit + step))]?.focus();
  }

  /** Light the passage. @param {ArrayLike<number>} weights by unit @param {number} top weight at full shade @param {number} anchor unit whose attention it is @param {number} held unit, -1 if none */
  light(weights, top, anchor, held) {
    this.#spans.forEach((span, unit) => {
      const strength = Math.round(100 * shade(weights[unit], top));
      if (strength !== this.#shades[unit]) {
        span.style.setProperty("--shade", String(strength / 100));
        this.#shades[unit] = strength;
      }
    });
    this.#spans[this.#anchor]?.classList.remove("anchor", "pinned");
    this.#spans[anchor]?.classList.add("anchor");
    if (anchor === held) this.#spans[anchor]?.classList.add("pinned");
    this.#anchor = anchor;
  }
}
