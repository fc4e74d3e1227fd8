// A passage's explanation.json as its pages use it: the text in words, and a view for every way to shade it.
import { load } from "./shading.js";

/**
 * @typedef {import("./shading.js").Passage} Passage
 * @typedef {{method: string, target: number, convergence_delta: number|null, error: number|null, words: number[]}} Attribution
 * @typedef {{id: string, title: string, language: string, text: string, words: string[], forms: string[], true_target: number,
 *   predicted_target: number, predicted_class: string, probabilities: Record<string, number>, attributions: Attribution[]}} Explanation
 */

/** @type {WeakMap<Explanation, Passage>} */
const known = new WeakMap();

/** Fetch a passage; the same one for the same file. @param {string} url @returns {Promise<Passage>} */
export async function loadPassage(url) {
  /** @type {Explanation} */
  const explanation = await load(url);
  const passage = known.get(explanation) ?? {
    id: explanation.id,
    title: explanation.title,
    language: explanation.language,
    true: explanation.true_target,
    predicted: explanation.predicted_target,
    confidence: explanation.probabilities[explanation.predicted_class],
    text: paragraphs(explanation),
    forms: explanation.forms,
    views: views(explanation),
  };
  known.set(explanation, passage);
  return passage;
}

/** Paragraphs; in each, what stands before a word and the word take turns. @param {Explanation} explanation */
function paragraphs({ text, words }) {
  /** @type {string[][]} */
  const found = [[]];
  let at = 0;
  for (const word of words) {
    const start = text.indexOf(word, at);
    text.slice(at, start).split("\n").forEach((line, number) => {
      if (number && found[found.length - 1].length) found.push([]);
      if (line) found[found.length - 1].push(line);
    });
    const turns = found[found.length - 1];
    if (turns.length % 2 === 0) turns.push("");
    turns.push(word);
    at = start + word.length;
  }
  return found;
}

/**
 * Every method and class, and the true class against the predicted one where they differ: every method that has a
 * baseline is linear in the output, so that is a difference of numbers.
 * @param {Explanation} explanation
 */
function views({ attributions, true_target, predicted_target }) {
  /** @type {Passage["views"]} */
  const found = [];
  for (const method of new Set(attributions.map((one) => one.method))) {
    const own = attributions.filter((one) => one.method === method);
    for (const { target, error, words } of own) found.push({ method, target, against: null, error, values: words });
    const [a, b] = [true_target, predicted_target].map((target) => own.find((one) => one.target === target));
    if (a === b || !a || !b || a.convergence_delta === null) continue;
    const values = a.words.map((value, word) => value - b.words[word]);
    found.push({ method, target: a.target, against: b.target, error: Math.max(a.error ?? 0, b.error ?? 0), values });
  }
  return found;
}
