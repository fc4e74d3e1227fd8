// What shades words: numbers, steps of shading, and a passage's numbers as they are fetched.
import { textOf } from "./packed.js";

/**
 * @typedef {{method: string, target: number, against: number|null, error: number|null, values?: number[]}} View
 * @typedef {{id: string, title: string, language: string, true: number, predicted: number, confidence: number,
 *   text: string[][], forms: string[], views: Required<View>[]}} Passage
 */

export const MINUS = "\u2212";

/**
 * A number as the page's language writes it, with its sign and a real minus.
 * @param {number} value @param {string} locale @param {number} digits
 */
export function signed(value, locale, digits) {
  const size = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(Math.abs(value));
  return /[1-9]/.test(size) ? (value > 0 ? "+" : MINUS) + size : size;
}

/** How many decimals the ends of a scale need to be told from nothing. @param {number} scale */
export function decimals(scale) {
  return Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(scale))));
}

/** A share of one in per cent. @param {number} share @param {string} locale @param {number} digits */
export function percent(share, locale, digits = 0) {
  return new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

/** The largest |value|. @param {number[]} values */
export function largest(values) {
  return values.reduce((size, value) => Math.max(size, Math.abs(value)), Number.MIN_VALUE);
}

/** The classes of a word. @param {number} value @param {number} scale where the shading ends @param {number} levels */
export function shade(value, scale, levels) {
  const step = Math.min(levels, Math.round((levels * Math.abs(value)) / scale));
  return step ? `w ${value > 0 ? "for" : "against"}${step}` : "w";
}

/** How the address writes what a view explains. @param {{target: number, against: number|null}} view */
export function className(view) {
  return view.against === null ? `${view.target}` : `${view.target}-${view.against}`;
}

/** Where each word stands by size, 1 the strongest. @param {number[]} values @param {number} word */
export function rank(values, word) {
  return 1 + values.filter((value) => Math.abs(value) > Math.abs(values[word])).length;
}

/** Keep a choice in the address, and everything else that stands there. @param {Record<string, string>} choice empty values are left out */
export function remember(choice) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(choice)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.size ? `?${query}` : "";
  if (search !== location.search) history.replaceState(history.state, "", location.pathname + search + location.hash);
}

/** Write a passage into an element, a span for each word. @param {HTMLElement} place @param {string[][]} text @param {number} [limit] words at most */
export function spell(place, text, limit = Infinity) {
  /** @type {HTMLElement[]} */
  const spans = [];
  place.replaceChildren();
  for (const turns of text) {
    if (spans.length >= limit) break;
    const paragraph = document.createElement("p");
    turns.forEach((turn, at) => {
      if (spans.length >= limit) return;
      if (at % 2 === 0) return paragraph.append(turn);
      const span = document.createElement("span");
      span.className = "w";
      span.dataset.w = String(spans.length);
      span.textContent = turn;
      spans.push(span);
      paragraph.append(span);
    });
    place.append(paragraph);
  }
  return spans;
}

/** @type {Map<string, Promise<any>>} */
const fetched = new Map();

/** Fetch a JSON file once, packed or not; a failure is forgotten, so that the next call tries again. @param {string} url @returns {Promise<any>} */
export function load(url) {
  const address = new URL(url, location.href).href;
  let promise = fetched.get(address);
  if (!promise) {
    promise = textOf(address).then(JSON.parse);
    promise.catch(() => fetched.delete(address));
    fetched.set(address, promise);
  }
  return promise;
}
