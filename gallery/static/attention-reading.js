// The passage as running text that lights up, and the same weights as lines between two columns.

import { shade } from "./attention-heatmap.js";

/** @typedef {import("./attention-units.js").Unit} Unit */
/** @typedef {import("./attention-units.js").Matrix} Matrix */

const SVG = "http://www.w3.org/2000/svg";

/** Most units a column of lines holds. */
export const LINES = 36;

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
export function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** The passage, every unit a span that can be pointed at, focused and tapped. */
export class Passage {
  /** @param {HTMLElement} place @param {{ point: (unit: number | null) => void, pin: (unit: number) => void }} told */
  constructor(place, told) {
    this.place = place;
    /** @type {HTMLElement[]} */
    this.spans = [];
    /** @type {number[]} shade of each span in hundredths, so that only what changes is touched */
    this.shown = [];
    this.lit = -1;
    const unit = (/** @type {Event} */ event) => {
      const span = event.target instanceof Element ? event.target.closest("[data-unit]") : null;
      return span instanceof HTMLElement ? Number(span.dataset.unit) : null;
    };
    place.addEventListener("pointerover", (event) => event.pointerType === "mouse" && told.point(unit(event)));
    place.addEventListener("pointerleave", () => told.point(null));
    // Focus that a finger brings comes before its click, and what it wrote would move the word from under the finger.
    place.addEventListener("focusin", (event) => event.target instanceof Element && event.target.matches(":focus-visible") && told.point(unit(event)));
    place.addEventListener("focusout", () => told.point(null));
    place.addEventListener("click", (event) => {
      const at = unit(event);
      if (at !== null) told.pin(at);
    });
  }

  /** @param {string} text @param {Unit[]} units @param {boolean} muted */
  write(text, units, muted) {
    let cursor = 0;
    /** @type {(Node | string)[]} */
    const pieces = [];
    this.spans = units.map((unit, number) => {
      const start = Math.max(cursor, unit.start);
      let label = unit.special ? unit.label : text.slice(start, unit.end);
      if (!unit.special) {
        const lead = label.length - label.trimStart().length;
        pieces.push(text.slice(cursor, start + lead));
        cursor = Math.max(cursor, unit.end);
        label = label.trim();
      }
      // A piece without a character of its own, such as the second byte of a letter, is still a thing to point at.
      const kind = unit.special ? `unit special${muted ? " muted" : ""}` : label ? "unit" : "unit bare";
      const span = make("span", { class: kind, "data-unit": String(number), tabindex: "0", role: "button" }, label || "·");
      if (!label) span.title = unit.label;
      pieces.push(span);
      if (unit.special) pieces.push(" ");
      return span;
    });
    pieces.push(make("span", { class: "unread" }, text.slice(cursor)));
    this.shown = new Array(units.length).fill(0);
    this.lit = -1;
    this.place.replaceChildren(...pieces);
  }

  /** @param {ArrayLike<number> | null} weights by unit @param {number} top @param {number} source unit they belong to @param {number} pinned */
  light(weights, top, source, pinned) {
    this.spans.forEach((span, unit) => {
      const strength = weights ? Math.round(100 * shade(weights[unit], top)) : 0;
      if (strength !== this.shown[unit]) {
        span.style.setProperty("--shade", String(strength / 100));
        this.shown[unit] = strength;
      }
    });
    this.spans[this.lit]?.classList.remove("source", "pinned");
    this.spans[source]?.classList.add("source");
    if (source === pinned) this.spans[source]?.classList.add("pinned");
    this.lit = source;
  }
}

/**
 * Lines between two columns of the units [start, end), as thick and dark as the weights.
 * @param {Matrix} matrix @param {number} start @param {number} end @param {number} top
 * @param {number} source unit whose lines alone are shown, -1 for all @param {boolean} by whether the source stands on the right
 */
export function drawLines(matrix, start, end, top, source, by) {
  const height = 22;
  const width = 520;
  const [left, right] = [190, width - 190];
  const count = matrix.units.length;
  const picture = /** @type {SVGSVGElement} */ (draw("svg", { viewBox: `0 0 ${width} ${(end - start) * height}`, class: "lines", role: "group" }));
  const group = draw("g", { class: "ink", fill: "none" });
  for (let from = start; from < end; from++) {
    for (let to = start; to < end; to++) {
      if (source >= 0 && source !== (by ? to : from)) continue;
      const muted = matrix.special === "muted" && (matrix.units[from].special || matrix.units[to].special);
      const strength = muted ? 0 : shade(matrix.values[from * count + to], top);
      if (strength < 0.12) continue;
      const [y1, y2] = [(from - start + 0.5) * height, (to - start + 0.5) * height];
      const middle = (left + right) / 2;
      group.append(
        draw("path", {
          d: `M${left} ${y1}C${middle} ${y1} ${middle} ${y2} ${right} ${y2}`,
          "stroke-opacity": strength.toFixed(2),
          "stroke-width": (0.5 + 2.5 * strength).toFixed(2),
        }),
      );
    }
  }
  picture.append(group);
  for (let unit = start; unit < end; unit++) {
    for (const onRight of [false, true]) {
      const marked = unit === source && onRight === by;
      const label = draw(
        "text",
        {
          x: onRight ? right + 8 : left - 8,
          y: (unit - start + 0.5) * height,
          "text-anchor": onRight ? "start" : "end",
          "dominant-baseline": "central",
          class: marked ? "label source" : matrix.units[unit].special ? "label special" : "label",
          "data-unit": unit,
          "data-side": onRight ? "to" : "from",
        },
        matrix.units[unit].label,
      );
      picture.append(label);
    }
  }
  return picture;
}
