// How words are shaded by their numbers, and a passage's words as elements.

/**
 * @typedef {object} View a way to shade a passage
 * @property {string} method
 * @property {number} target class
 * @property {number | null} against class that it is compared with, if any
 * @property {number | null} error of the method
 * @property {boolean} [signs] whether a negative value speaks against the class
 * @property {number[]} [values] by word
 *
 * @typedef {object} Passage
 * @property {string} id
 * @property {string} title
 * @property {string} language
 * @property {string} kind what it is where its author did not write it, else empty
 * @property {number} true class
 * @property {number} predicted class
 * @property {number} runner the second most probable class
 * @property {number} confidence of the prediction
 * @property {string[][]} text paragraphs; in each, the text before a word and the word take turns
 * @property {string[]} forms by word, the same for words that count as the same
 * @property {Required<View>[]} views
 * @property {import("./erasing.js").Erasing | null} erasing
 */

/** Return the largest |value|, never 0. @param {number[]} values */
export function largest(values) {
  return values.reduce((size, value) => Math.max(size, Math.abs(value)), Number.MIN_VALUE);
}

/** Return the sum of all |value|, 1 where it would be 0. @param {number[]} values */
export function total(values) {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
}

/** Return the rank of a word by |value|, 1 for the strongest. @param {number[]} values @param {number} word */
export function rank(values, word) {
  return 1 + values.filter((value) => Math.abs(value) > Math.abs(values[word])).length;
}

/**
 * Return the CSS classes of a word.
 * @param {number} value @param {number} scale |value| of the deepest shade @param {number} levels of shade @param {boolean} signs whether a negative value speaks against
 */
export function shade(value, scale, levels, signs) {
  const step = Math.min(levels, Math.round((levels * Math.abs(value)) / scale));
  return step ? `w ${signs ? (value > 0 ? "for" : "against") : "ink"}${step}` : "w";
}

/** Return the CSS classes of a bar. @param {number} value @param {number} scale |value| of the longest bar @param {boolean} signs */
export function bar(value, scale, signs) {
  return `g-bar ${signs ? (value > 0 ? "g-for" : "g-against") : "g-ink"} l${Math.round((20 * Math.abs(value)) / scale)}`;
}

/** Shade the samples of a scale as the words are shaded. @param {Element} scale @param {boolean} signs */
export function shadeScale(scale, signs) {
  scale.classList.toggle("g-unsigned", !signs);
  for (const sample of scale.querySelectorAll("[class^=for], [class^=ink]")) sample.className = sample.className.replace(/for|ink/, signs ? "for" : "ink");
}

/** Return a view's class as the address and the switches write it. @param {{target: number, against: number | null}} view */
export function className(view) {
  return view.against === null ? `${view.target}` : `${view.target}-${view.against}`;
}

/**
 * Write a passage into an element; return a span for each word.
 * @param {HTMLElement} element @param {string[][]} text @param {number} [limit] words at most
 */
export function spell(element, text, limit = Infinity) {
  /** @type {HTMLElement[]} */
  const spans = [];
  element.replaceChildren();
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
    element.append(paragraph);
  }
  return spans;
}

/** Return the next word that an arrow key leads to, -1 after Escape, null for other keys. @param {string} key @param {number} word @param {number} count */
export function wordAfter(key, word, count) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (key === "Escape") return -1;
  return step ? Math.max(0, Math.min(count - 1, word + step)) : null;
}
