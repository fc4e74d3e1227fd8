// The words on which the two sides of a comparison differ most, or which both passages have, as a table.

import { fill, make, only } from "./dom.js";
import { written } from "./numbers.js";
import { bar } from "./shading.js";

/** @typedef {import("./compare-side.js").Side} Side */
/** @typedef {import("./compare-side.js").Strings} Strings */
/** @typedef {{word: string, lang: string, left: number, right: number}} Row a word with its share on either side */

const ROWS = 20;
const STRONGEST = 10;

/** Fill heading, sum and table. @param {Element} element @param {Side} left @param {Side} right @param {Strings} strings */
export function drawWords(element, left, right, strings) {
  const same = left.passage?.id === right.passage?.id;
  const rows = (same ? rowsOfPassage(left, right) : rowsOfForms(left, right)).slice(0, ROWS);
  const signs = [left, right].map((side) => side.view?.signs ?? true);
  // A strong word against the class is no weak word to a method without signs.
  const [ours, theirs] = [left, right].map(({ values }) => (signs[0] && signs[1] ? values : values.map(Math.abs)));
  const sum = same ? fill(strings.same, { count: strongestInCommon(ours, theirs) }) : rows.length ? "" : strings.none;
  only(element, ".g-compare-sum", HTMLElement).textContent = sum;
  only(element, "#differences", HTMLElement).textContent = same ? strings.apart : strings.shared;
  const longest = Math.max(...rows.flatMap((row) => [Math.abs(row.left), Math.abs(row.right)]), Number.MIN_VALUE);
  only(element, ".g-differences tbody", HTMLElement).replaceChildren(...rows.map((row) => drawRow(row, longest, strings.locale, signs)));
}

/** Return the words of the passage on both sides, greatest difference first. @param {Side} left @param {Side} right @returns {Row[]} */
function rowsOfPassage(left, right) {
  const [ours, theirs] = [left.shares, right.shares];
  const rows = left.spans.map((span, word) => ({ word: span.textContent ?? "", lang: left.text.lang, left: ours[word], right: theirs[word] }));
  return rows.sort((a, b) => Math.abs(b.left - b.right) - Math.abs(a.left - a.right));
}

/** Return the forms that both passages have, greatest share first. @param {Side} left @param {Side} right @returns {Row[]} */
function rowsOfForms(left, right) {
  const [ours, theirs] = [sharesByForm(left), sharesByForm(right)];
  const rows = [...ours].flatMap(([word, share]) => {
    const other = theirs.get(word);
    return other === undefined ? [] : [{ word, lang: left.text.lang, left: share, right: other }];
  });
  return rows.sort((a, b) => Math.abs(b.left) + Math.abs(b.right) - Math.abs(a.left) - Math.abs(a.right));
}

/** Add up the shares of each form that has a letter or a digit. @param {Side} side */
function sharesByForm(side) {
  const { shares } = side;
  /** @type {Map<string, number>} */
  const sums = new Map();
  side.passage?.forms.forEach((form, word) => /[\p{L}\p{N}]/u.test(form) && sums.set(form, (sums.get(form) ?? 0) + shares[word]));
  return sums;
}

/** Count the words that are among the strongest on both sides. @param {number[]} left @param {number[]} right by word */
function strongestInCommon(left, right) {
  const [ours, theirs] = [left, right].map((values) => new Set([...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, STRONGEST)));
  return [...ours].filter((word) => theirs.has(word)).length;
}

/** @param {Row} row @param {number} longest share @param {string} locale @param {boolean[]} signs by side */
function drawRow(row, longest, locale, signs) {
  const shares = [row.left, row.right];
  return make(
    "tr",
    {},
    make("td", { lang: row.lang }, row.word),
    ...shares.map((share, at) => make("td", { class: "g-number" }, written(100 * share, locale, 1, signs[at]))),
    make("td", {}, make("span", { class: "g-pair" }, ...shares.map((share, at) => make("span", { class: bar(share, longest, signs[at]) })))),
  );
}
