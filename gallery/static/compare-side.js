// One side of a comparison: a passage and a view of it, chosen and shaded.

import { all, fill, only } from "./dom.js";
import { decimals, percent, written } from "./numbers.js";
import { className, shade, shadeScale, spell, total } from "./shading.js";

/**
 * @typedef {import("./shading.js").Passage} Passage
 * @typedef {Required<import("./shading.js").View>} View
 *
 * @typedef {Record<"against" | "right" | "wrong" | "author" | "imitated" | "answer" | "runner" | "error" | "hint" | "hint_touch" | "both" | "only_right" | "only_left"
 *   | "units" | "same" | "apart" | "shared" | "none" | "failed" | "unknown" | "rather" | "weighs"
 *   | "blind_note", string>} Sentences of gallery/templates/compare.html
 * @typedef {Sentences & {locale: string, levels: number, labels: string[], speaks: [string, string][], blind: string[], methods: Record<string, string>}} Strings
 */

export class Side {
  /** @type {Passage | null} */
  passage = null;
  /** @type {View | null} */
  view = null;
  /** @type {HTMLElement[]} by word */
  spans = [];
  /** Word whose numbers are said, -1 if none. */
  word = -1;

  /** @param {HTMLElement} section @param {Strings} strings @param {string} passages address of the folder of passages */
  constructor(section, strings, passages) {
    this.section = section;
    this.strings = strings;
    this.passages = passages;
    this.name = section.dataset.side ?? "";
    this.form = only(section, "form", HTMLFormElement);
    this.text = only(section, ".g-text", HTMLElement);
  }

  /** Return a field of the form; a gallery of one method has no field for methods. @param {"passage" | "class" | "method"} name */
  field(name) {
    return /** @type {HTMLSelectElement | undefined} */ (all(this.form, `select[name=${name}]`, HTMLSelectElement)[0]);
  }

  /** Take a passage, and the view nearest to the wish. @param {Passage} passage @param {string | null} wanted class @param {string | null} method */
  take(passage, wanted, method) {
    if (this.passage !== passage) this.spans = spell(this.text, passage.text);
    this.passage = passage;
    const { views } = passage;
    const answer = views.find((view) => view.target === passage.predicted) ?? views[0];
    const asked = views.filter((view) => view.method === method);
    const among = asked.length ? asked : views.filter((view) => view.method === views[0].method);
    this.view = among.find((view) => className(view) === wanted) ?? among.find((view) => className(view) === className(answer)) ?? among[0];
  }

  get values() {
    return this.view?.values ?? [];
  }

  /** Values as shares of their total, so that units do not matter. */
  get shares() {
    const whole = total(this.values);
    return this.values.map((value) => value / whole);
  }

  /** Return the words of a form. @param {string | undefined} form */
  wordsOf(form) {
    return (this.passage?.forms ?? []).flatMap((other, word) => (other === form ? [word] : []));
  }

  /** Return the strongest word of a form, -1 if the passage has none. @param {string | undefined} form */
  strongest(form) {
    return this.wordsOf(form).reduce((best, word) => (best < 0 || Math.abs(this.values[word]) > Math.abs(this.values[best]) ? word : best), -1);
  }

  /** What positive and negative numbers of the view do. @returns {[string, string]} */
  get speaks() {
    const { view, strings } = this;
    if (!view) return ["", ""];
    const [towards, away] = strings.speaks[view.target];
    const rather = (/** @type {string} */ phrase) => fill(strings.rather, { for_class: phrase });
    return view.against === null ? [towards, away] : [rather(towards), rather(strings.speaks[view.against][0])];
  }

  /** Show verdict, choices and shades. @param {number} scale |value| of the deepest shade */
  draw(scale) {
    const { section, passage, view, strings } = this;
    if (!passage || !view) return;
    const { locale } = strings;
    const right = passage.true === passage.predicted;
    const link = only(section, "h2 a", HTMLAnchorElement);
    link.textContent = passage.title;
    const file = location.pathname.endsWith("/index.html") ? "index.html" : ""; // opened from a disk, where no server finds the file
    link.href = `${this.passages}${passage.id}/${file}`;
    const verdict = only(section, ".g-verdict", HTMLElement);
    verdict.className = `g-verdict ${right ? "g-right" : "g-wrong"}`;
    verdict.textContent = right ? `✓ ${strings.right}` : `✗ ${fill(strings.wrong, { name: strings.labels[passage.predicted] })}`;
    only(section, ".g-compare-verdict .g-number", HTMLElement).textContent = percent(passage.confidence, locale, 1);
    only(section, ".g-compare-verdict small", HTMLElement).textContent = view.error === null ? "" : fill(strings.error, { share: percent(view.error, locale, 2) });
    this.text.lang = passage.language;
    this.#drawChoices(passage, view);
    this.spans.forEach((span, word) => (span.className = shade(view.values[word], scale, strings.levels, view.signs)));
    const [towards, away] = this.speaks;
    only(section, ".g-keys .g-legend-for, .g-keys .g-legend-ink", HTMLElement).textContent = view.signs ? towards : strings.weighs;
    only(section, ".g-keys .g-legend-for, .g-keys .g-legend-ink", HTMLElement).className = view.signs ? "g-legend-for" : "g-legend-ink";
    only(section, ".g-keys .g-legend-against", HTMLElement).textContent = view.signs ? away : "";
    shadeScale(only(section, ".g-scale", HTMLElement), view.signs);
    only(section, "[data-end=for]", HTMLElement).textContent = written(scale, locale, decimals(scale), view.signs);
    only(section, "[data-end=against]", HTMLElement).textContent = view.signs ? written(-scale, locale, decimals(scale), true) : "0";
    const blind = strings.blind.includes(view.method);
    const note = only(section, ".g-blind", HTMLElement);
    note.textContent = blind ? strings.blind_note : "";
    note.hidden = !blind;
    const classes = this.field("class");
    if (classes) classes.disabled = blind;
  }

  /** Offer the classes and methods of the passage, with those of the view chosen. @param {Passage} passage @param {View} view */
  #drawChoices(passage, view) {
    const { strings } = this;
    const [passages, classes, methods] = [this.field("passage"), this.field("class"), this.field("method")];
    if (passages) passages.value = passage.id;
    const author = passage.kind ? strings.imitated : strings.author;
    const roles = new Map([[passage.runner, strings.runner], [passage.true, author], [passage.predicted, strings.answer]]);
    const options = passage.views
      .filter((other) => other.method === view.method)
      .map((other) => {
        const role = other.against === null && roles.get(other.target);
        return new Option(role ? `${this.#label(other)} (${role})` : this.#label(other), className(other));
      });
    classes?.replaceChildren(...options);
    if (classes) classes.value = className(view);
    const names = new Set(passage.views.map((other) => other.method));
    methods?.replaceChildren(...[...names].map((name) => new Option(strings.methods[name] ?? name, name)));
    if (methods) methods.value = view.method;
  }

  /** @param {View} view */
  #label({ target, against }) {
    const { labels, against: pattern } = this.strings;
    return against === null ? labels[target] : fill(pattern, { one: labels[target], other: labels[against] });
  }
}
