// A passage's explanation.json as pages use it: the text in words, and a view for every way to shade it.

import { fetchJson } from "./fetching.js";

/**
 * @typedef {import("./shading.js").Passage} Passage
 *
 * @typedef {object} Attribution
 * @property {string} method
 * @property {number} target class
 * @property {string} class its name
 * @property {boolean} signed whether a negative value speaks against the class
 * @property {number | null} convergence_delta null for methods without a baseline
 * @property {number | null} error
 * @property {number[]} words
 *
 * @typedef {object} Explanation what gallery/site/pages/numbers.py writes
 * @property {string} id
 * @property {string} title
 * @property {string} language
 * @property {string} [kind] what it is where its author did not write it
 * @property {string} text
 * @property {string[]} words
 * @property {string[]} forms
 * @property {number} true_target
 * @property {number} predicted_target
 * @property {string} predicted_class
 * @property {Record<string, number>} probabilities by name of the class
 * @property {Attribution[]} attributions
 * @property {{method: string, classes: {target: number, error: number | null, unit: number, words: number[]}[]}} [every_class] the classes that
 *   only one method explains; their numbers are multiples of `unit`
 * @property {import("./erasing.js").Erasing | null} erasing
 */

/** @type {WeakMap<Explanation, Passage>} */
const known = new WeakMap();

/** Fetch a passage, the same object for the same file. @param {string} address @returns {Promise<Passage>} */
export async function loadPassage(address) {
  /** @type {Explanation} */
  const explanation = await fetchJson(address);
  const passage = known.get(explanation) ?? {
    id: explanation.id,
    title: explanation.title,
    language: explanation.language,
    kind: explanation.kind ?? "",
    true: explanation.true_target,
    predicted: explanation.predicted_target,
    runner: second(Object.values(explanation.probabilities)),
    confidence: explanation.probabilities[explanation.predicted_class],
    text: paragraphs(explanation),
    forms: explanation.forms,
    views: views(explanation),
    erasing: explanation.erasing,
  };
  known.set(explanation, passage);
  return passage;
}

/** Return the number of the second largest value. @param {number[]} values */
function second(values) {
  return [...values.keys()].sort((a, b) => values[b] - values[a])[1];
}

/** Return the paragraphs of a text; in each, the text before a word and the word take turns. @param {Explanation} explanation */
function paragraphs({ text, words }) {
  /** @type {string[][]} */
  const all = [[]];
  let at = 0;
  for (const word of words) {
    const start = text.indexOf(word, at);
    text.slice(at, start).split("\n").forEach((line, number) => {
      if (number && all[all.length - 1].length) all.push([]);
      if (line) all[all.length - 1].push(line);
    });
    const turns = all[all.length - 1];
    if (turns.length % 2 === 0) turns.push("");
    turns.push(word);
    at = start + word.length;
  }
  return all;
}

/**
 * Return a view for every method and class, and one of the predicted class against the true class where they differ: a method
 * with a baseline is linear in the output, so the comparison is a difference of numbers.
 * @param {Explanation} explanation
 */
function views({ attributions, every_class, true_target, predicted_target }) {
  /** @type {Passage["views"]} */
  const all = [];
  for (const method of new Set(attributions.map((attribution) => attribution.method))) {
    const own = attributions.filter((attribution) => attribution.method === method);
    const shown = own.map(({ target, error, signed, words }) => ({ method, target, against: /** @type {number | null} */ (null), error, signs: signed, values: words }));
    const [a, b] = [predicted_target, true_target].map((target) => own.find((attribution) => attribution.target === target));
    if (a !== b && a && b && a.convergence_delta !== null) {
      const values = a.words.map((value, word) => value - b.words[word]);
      shown.splice(1, 0, { method, target: a.target, against: b.target, error: Math.max(a.error ?? 0, b.error ?? 0), signs: true, values });
    }
    all.push(...shown);
  }
  for (const { target, error, unit, words } of every_class?.classes ?? []) {
    all.push({ method: every_class?.method ?? "", target, against: null, error, signs: true, values: words.map((value) => value * unit) });
  }
  return all;
}
