// The sentences of the page's language, with numbers as that language writes them.

import { carried, fill } from "./dom.js";
import { percent } from "./numbers.js";

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {import("./attention-state.js").Head} Head */

export class Wording {
  /** @param {Element} element with the sentences in its template */
  constructor(element) {
    this.sentences = /** @type {Record<string, string>} */ (carried(element) ?? {});
    this.locale = element.closest("[lang]")?.getAttribute("lang") ?? undefined;
  }

  /** Return a sentence. @param {string} key @param {Record<string, string | number>} [values] */
  text(key, values = {}) {
    return fill(this.sentences[key] ?? key, values);
  }

  /** Write a share of 1, small shares with more digits. @param {number} share */
  percent(share) {
    return percent(share, this.locale, share >= 0.1 || share === 0 ? 0 : share >= 0.01 ? 1 : 2);
  }

  /** Say what a head does. @param {Index} index @param {Head} head */
  leaning(index, [layer, head]) {
    const goals = index.summary_names.filter((name) => name !== "spread");
    const share = (/** @type {string} */ name) => summary(index, [layer, head], name);
    const best = goals.reduce((a, b) => (share(b) > share(a) ? b : a));
    const kind = share(best) >= 0.25 ? "leans" : share("spread") > 0.95 ? "even" : "wanders";
    return this.text(kind, { layer: layer + 1, head: head + 1, goal: this.text(`goal_${best}`), share: this.percent(share(best)) });
  }
}

/** Return a number of a head's summary. @param {Index} index @param {Head} head @param {string} name */
export function summary(index, [layer, head], name) {
  const names = index.summary_names;
  return index.summary[(layer * index.heads + head) * names.length + names.indexOf(name)];
}
