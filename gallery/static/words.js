// <gallery-words>: the passage, shaded by the share of each word in the score of a class.

import { onReturn, remember } from "./address.js";
import { all, carried, fill, only } from "./dom.js";
import { reasonOf, sayFailure } from "./failure.js";
import { fetchJson } from "./fetching.js";
import { decimals, percent, written } from "./numbers.js";
import { loadPassage } from "./passage.js";
import { className, largest, rank, shade, shadeScale, total, wordAfter } from "./shading.js";
import { dateInPrint, hintOf, offerSheet, offerSharing } from "./switch-sheet.js";

/**
 * @typedef {import("./shading.js").View} View
 * @typedef {{name: string, speaks_for: string, speaks_against: string, adds: string, weighs: string}} Labels of a class, or of two
 * @typedef {{title: string, signed: boolean, classes: boolean}} Declared a method: its name, whether it has signs, whether it tells classes apart
 * @typedef {{locale: string, levels: number, views: View[], classes: Record<string, Labels>, methods: Record<string, Declared>}} Data
 * @typedef {{values: number[], locale: string, signs: boolean, caption: string}} Shown what the passage shows, as its event says it
 */

const SCALE = "gallery-scale";

export class GalleryWords extends HTMLElement {
  /** @type {Data} no views until the element is in a page */
  data = { locale: "", levels: 0, views: [], classes: {}, methods: {} };
  /** @type {HTMLElement[]} by word */
  spans = [];
  /** View that is shown. */
  current = 0;
  /** @type {number | undefined} |value| of the deepest shade, once a view was chosen */
  end = undefined;
  /** Word whose numbers are said, -1 if none. */
  #word = -1;
  /** Whether the scale of the whole gallery is shown. */
  #scaled = false;
  /** The last wish to show a view; earlier ones are dropped. */
  #asked = Symbol();
  #left = new AbortController();

  connectedCallback() {
    const data = /** @type {Data | undefined} */ (carried(this));
    if (!data) return;
    this.data = data;
    this.spans = all(this, ".g-text .w", HTMLElement);
    this.#left = new AbortController();
    const { form, text, scale } = this;
    form.addEventListener("change", (event) => {
      if (event.target === scale) sessionStorage.setItem(SCALE, scale.checked ? "gallery" : "");
      for (const further of all(this, "select[name=further]", HTMLSelectElement)) {
        if (event.target instanceof HTMLInputElement && event.target.name === "class") further.value = "";
      }
      void this.show(this.#chosen(event.target instanceof HTMLSelectElement && event.target.name === "method"));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const soon of ["pointerenter", "focusin"]) form.addEventListener(soon, () => void this.#prefetch(), { once: true });
    text.addEventListener("pointerover", (event) => event.pointerType === "mouse" && this.#point(event));
    text.addEventListener("click", (event) => {
      this.#point(event);
      this.#remember();
    });
    for (const link of all(this, "a[data-word]", HTMLAnchorElement)) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.select(Number(link.dataset.word));
        this.#remember();
        this.spans[this.#word].scrollIntoView({ block: "center" });
        text.focus({ preventScroll: true });
      });
    }
    offerSheet(this, this.#left.signal);
    offerSharing(this);
    dateInPrint(this.#left.signal);
    text.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.select(this.#kept()));
    text.addEventListener("keydown", (event) => this.#key(event));
    onReturn(() => this.#fromAddress(), this.#left.signal);
    this.#fromAddress();
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  get form() {
    return only(this, ".g-switch", HTMLFormElement);
  }

  get scale() {
    return only(this, "input[name=scale]", HTMLInputElement);
  }

  get text() {
    return only(this, ".g-text", HTMLElement);
  }

  get focusLine() {
    return only(this, ".g-focus", HTMLElement);
  }

  /** Show what the address asks for: class, method, scale, word. */
  #fromAddress() {
    const { views } = this.data;
    const asked = new URLSearchParams(location.search);
    const { scale } = this;
    scale.checked = (asked.get("scale") ?? sessionStorage.getItem(SCALE)) === "gallery";
    const method = asked.get("method") ?? views[0].method;
    const name = asked.get("class") ?? className(views[0]);
    const index = this.#find(method, name);
    const word = this.#kept();
    this.#choose(index);
    if (index !== this.current || scale.checked || this.#scaled) void this.show(index);
    this.select(word);
    if (word >= 0) this.spans[word].scrollIntoView({ block: "center" });
  }

  /** Return the word that the address keeps, -1 if none. */
  #kept() {
    const word = Number(new URLSearchParams(location.search).get("word") ?? -1);
    return word in this.spans ? word : -1;
  }

  /** Whether a negative number of the view speaks against its class. */
  get signs() {
    return this.data.methods[this.data.views[this.current].method].signed;
  }

  /** Return what the passage shows, nothing as long as its numbers have not come. @returns {Shown | undefined} */
  shown() {
    const { views, locale, classes } = this.data;
    const view = views[this.current];
    const { adds, weighs } = classes[className(view)];
    const { title } = this.data.methods[view.method];
    return view.values && { values: view.values, locale, signs: this.signs, caption: `${this.signs ? adds : weighs} · ${title}` };
  }

  /** Return the view that the switches ask for; a method that was just chosen stays, whatever the class. @param {boolean} [byMethod] */
  #chosen(byMethod = false) {
    const { views } = this.data;
    const values = new FormData(this.form);
    const method = String(values.get("method") ?? views[0].method);
    const index = this.#find(method, String(values.get("further") || values.get("class") || className(views[this.current])));
    return byMethod && views[index].method !== method ? views.findIndex((view) => view.method === method) : index;
  }

  /** Return the view of a method and a class; of another method where this one does not explain the class. @param {string} method @param {string} name */
  #find(method, name) {
    const { views } = this.data;
    const exact = views.findIndex((view) => view.method === method && className(view) === name);
    if (exact >= 0) return exact;
    const near = views.findIndex((view) => view.method === method && `${view.target}` === name.split("-")[0]);
    return near >= 0 ? near : Math.max(0, views.findIndex((view) => className(view) === name));
  }

  /** Set the switches to a view. @param {number} index */
  #choose(index) {
    const view = this.data.views[index];
    const { classes } = this.data.methods[view.method];
    for (const radio of all(this, "input[name=class]", HTMLInputElement)) {
      radio.checked = radio.value === className(view);
      radio.disabled = !classes;
    }
    for (const further of all(this, "select[name=further]", HTMLSelectElement)) {
      further.value = className(view);
      if (further.selectedIndex < 0) further.value = ""; // a class with a button of its own
      further.disabled = !classes;
    }
    for (const select of all(this, "select[name=method]", HTMLSelectElement)) select.value = view.method;
    only(this, ".g-blind", HTMLElement).hidden = classes;
  }

  /** @param {Event} event */
  #point(event) {
    const span = event.target instanceof Element ? event.target.closest(".w") : null;
    if (span instanceof HTMLElement) this.select(this.spans.indexOf(span));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.spans.length - 1;
    /** @type {Record<string, number>} */
    const ends = { Home: 0, End: last };
    const word = ends[event.key] ?? wordAfter(event.key, this.#word, last + 1);
    if (word === null) return;
    this.select(word);
    this.#remember();
    event.preventDefault();
  }

  /** Say the numbers of a word; of none for -1. @param {number} word */
  select(word) {
    this.spans[this.#word]?.classList.remove("here");
    this.#word = word;
    const line = this.focusLine;
    const { values } = this.data.views[this.current];
    if (word < 0 || !values) {
      line.textContent = hintOf(line);
      return;
    }
    this.spans[word].classList.add("here");
    const { locale, classes, views } = this.data;
    const strong = document.createElement("strong");
    strong.textContent = this.spans[word].textContent;
    const { speaks_for, speaks_against } = classes[className(views[this.current])];
    const rest = fill((this.signs ? line.dataset.template : line.dataset.unsigned) ?? "", {
      value: written(values[word], locale, 3, this.signs),
      side: values[word] < 0 ? speaks_against : speaks_for,
      share: percent(Math.abs(values[word]) / total(values), locale, 1),
      rank: rank(values, word),
      count: values.length,
    });
    line.replaceChildren(strong, " ", rest);
  }

  /** Fetch the numbers of the views that did not come with the page. */
  async #fetchViews() {
    const { views } = this.data;
    if (views.every((view) => view.values)) return;
    const passage = await loadPassage(this.getAttribute("src") ?? "");
    for (const view of views) {
      view.values ??= passage.views.find((other) => other.method === view.method && className(other) === className(view))?.values;
    }
  }

  /** Fetch those numbers before they are asked for; if that fails, `show` tries again and says so. */
  async #prefetch() {
    try {
      await this.#fetchViews();
    } catch (error) {
      reasonOf(error);
    }
  }

  /** Return the |value| of the deepest shade: the view's own, or the gallery's for its method. @param {View} view @returns {Promise<number>} */
  async #fetchScale(view) {
    if (!this.scale.checked) return largest(view.values ?? []);
    /** @type {Record<string, number>} */
    const scales = await fetchJson(this.getAttribute("scales") ?? "");
    return scales[view.method];
  }

  /** Shade the passage by a view. @param {number} index */
  async show(index) {
    const { levels, views, locale } = this.data;
    const asked = (this.#asked = Symbol());
    const view = views[index];
    const scaled = this.scale.checked;
    /** @type {number} */
    let scale;
    try {
      if (!view.values) await this.#fetchViews();
      scale = await this.#fetchScale(view);
    } catch (error) {
      const reason = reasonOf(error);
      const line = this.focusLine;
      if (asked !== this.#asked) return;
      this.#choose(this.current);
      this.scale.checked = this.#scaled;
      sayFailure(line, line.dataset, reason, () => {
        this.#choose(index);
        this.scale.checked = scaled;
        void this.show(index);
      });
      return;
    }
    if (asked !== this.#asked || !this.isConnected) return;
    this.current = index;
    this.end = scale;
    this.#scaled = this.scale.checked;
    this.#choose(index);
    const values = view.values ?? [];
    const { signs } = this;
    this.spans.forEach((span, word) => (span.className = shade(values[word], scale, levels, signs)));
    this.#label(signs, scale, locale);
    this.select(this.#word);
    this.#remember();
    document.dispatchEvent(new CustomEvent("gallery:view", { detail: this.shown() }));
  }

  /** Write the class and the scale of the view into the legend. @param {boolean} signs @param {number} scale |value| of the deepest shade @param {string} locale */
  #label(signs, scale, locale) {
    const labels = this.data.classes[className(this.data.views[this.current])];
    for (const place of all(this, "[data-label]", HTMLElement)) place.textContent = labels[/** @type {keyof Labels} */ (place.dataset.label)];
    only(this, ".g-legend [data-signed]", HTMLElement).hidden = !signs;
    only(this, ".g-legend [data-unsigned]", HTMLElement).hidden = signs;
    shadeScale(only(this, ".g-scale", HTMLElement), signs);
    only(this, "[data-end=for]", HTMLElement).textContent = written(scale, locale, decimals(scale), signs);
    only(this, "[data-end=against]", HTMLElement).textContent = signs ? written(-scale, locale, decimals(scale), true) : "0";
  }

  /** Keep the view in the address; the first view and the passage's own scale need no words. */
  #remember() {
    const [first] = this.data.views;
    const view = this.data.views[this.current];
    remember({
      class: className(view) === className(first) ? "" : className(view),
      method: view.method === first.method ? "" : view.method,
      scale: this.scale.checked ? "gallery" : "",
      word: this.#word >= 0 ? String(this.#word) : "",
    });
  }
}
