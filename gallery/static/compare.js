// <gallery-compare>: two passages, classes or methods side by side, with linked words and scales; the choice stays in the address.

import { onReturn, remember } from "./address.js";
import { Side } from "./compare-side.js";
import { drawWords } from "./compare-words.js";
import { all, carried, fill, only } from "./dom.js";
import { reasonOf } from "./failure.js";
import { fetchJson } from "./fetching.js";
import { written } from "./numbers.js";
import { loadPassage } from "./passage.js";
import { className, largest, rank, wordAfter } from "./shading.js";

/** @typedef {import("./compare-side.js").Strings} Strings */
/** @typedef {{id: string, title: string, author: string}} Listed a passage of the gallery */

export class GalleryCompare extends HTMLElement {
  /** @type {Strings | undefined} */
  #strings = undefined;
  /** @type {Side[]} left and right */
  #sides = [];
  /** The last wish to show something; failures of earlier ones are not said. */
  #turn = Symbol();
  #left = new AbortController();

  connectedCallback() {
    const strings = /** @type {Strings | undefined} */ (carried(this));
    if (!strings) return;
    this.#strings = strings;
    this.#sides = all(this, "section[data-side]", HTMLElement).map((section) => new Side(section, strings, this.getAttribute("passages") ?? ""));
    this.#left = new AbortController();
    for (const side of this.#sides) {
      side.form.addEventListener("change", () => void this.#change(side));
      side.form.addEventListener("submit", (event) => event.preventDefault());
      for (const kind of ["pointerover", "click"]) side.text.addEventListener(kind, (event) => this.#point(side, event));
      side.text.addEventListener("pointerleave", () => this.#select(side, -1));
      side.text.addEventListener("keydown", (event) => this.#key(side, event));
    }
    this.scale.addEventListener("change", () => this.#draw());
    this.tools.addEventListener("submit", (event) => event.preventDefault());
    only(this.tools, "[name=swap]", HTMLElement).addEventListener("click", () => this.#swap());
    only(this.failure, "button", HTMLElement).addEventListener("click", () => void this.#fromAddress());
    onReturn(() => void this.#fromAddress(), this.#left.signal);
    void this.#fromAddress();
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  get strings() {
    return /** @type {Strings} */ (this.#strings);
  }

  get tools() {
    return only(this, ".g-compare-tools", HTMLFormElement);
  }

  get scale() {
    return only(this.tools, "[name=scale]", HTMLInputElement);
  }

  get failure() {
    return only(this, ".g-failed", HTMLElement);
  }

  /** Show what the address asks for. The first passage and the passage after the left one fill its gaps. */
  async #fromAddress() {
    const asked = new URLSearchParams(location.search);
    this.scale.checked = asked.get("scale") !== "own";
    await this.#attempt(async () => {
      /** @type {Listed[]} */
      const listed = await fetchJson(`${this.getAttribute("data")}passages.json`);
      this.#offer(listed);
      const known = new Set(listed.map((passage) => passage.id));
      const unknown = this.#sides.map((side) => asked.get(side.name)).find((id) => id && !known.has(id));
      const [left, right] = this.#sides.map((side) => asked.get(side.name) ?? "");
      const first = known.has(left) ? left : listed[0].id;
      const next = listed[(listed.findIndex((passage) => passage.id === first) + 1) % listed.length].id;
      const chosen = [first, known.has(right) ? right : next];
      const passages = await Promise.all(chosen.map((id) => this.#fetchPassage(id)));
      this.#sides.forEach((side, at) => side.take(passages[at], asked.get(`${side.name}-class`), asked.get(`${side.name}-method`)));
      this.#draw();
      if (unknown) this.#fail(fill(this.strings.unknown, { id: unknown }), false);
    });
  }

  /** @param {string} id */
  #fetchPassage(id) {
    return loadPassage(`${this.getAttribute("data")}${id}/${this.getAttribute("numbers")}`);
  }

  /** Do what needs the network, and say so where it fails. @param {() => Promise<void>} work */
  async #attempt(work) {
    const turn = (this.#turn = Symbol());
    this.failure.hidden = true;
    try {
      await work();
    } catch (error) {
      const reason = reasonOf(error);
      if (turn === this.#turn) this.#fail(fill(this.strings.failed, { reason }), true);
    }
  }

  /** @param {string} message @param {boolean} again whether it can be tried again */
  #fail(message, again) {
    const { failure } = this;
    only(failure, "span", HTMLElement).textContent = message;
    only(failure, "button", HTMLElement).hidden = !again;
    failure.hidden = false;
  }

  /** Fill the lists of passages, by author. @param {Listed[]} listed */
  #offer(listed) {
    const authors = new Map(listed.map(({ author }) => [author, listed.filter((passage) => passage.author === author)]));
    const sorted = [...authors].sort(([a], [b]) => a.localeCompare(b, this.strings.locale));
    for (const side of this.#sides) {
      const groups = sorted.map(([author, own]) => {
        const group = document.createElement("optgroup");
        group.label = author;
        group.append(...own.map((passage) => new Option(passage.title, passage.id)));
        return group;
      });
      side.field("passage")?.replaceChildren(...groups);
    }
  }

  /** @param {Side} side */
  async #change(side) {
    const wanted = side.field("class")?.value ?? null;
    const method = side.field("method")?.value ?? null;
    await this.#attempt(async () => {
      side.take(await this.#fetchPassage(side.field("passage")?.value ?? ""), wanted, method);
      this.#draw();
    });
  }

  #swap() {
    const [left, right] = this.#sides.map(({ passage, view }) => ({ passage, view }));
    this.#sides.forEach((side, at) => {
      const { passage, view } = at ? left : right;
      if (passage && view) side.take(passage, className(view), view.method);
    });
    this.#draw();
  }

  #draw() {
    const { strings, scale } = this;
    const [left, right] = this.#sides;
    if (!this.isConnected || !left.view || !right.view) return;
    const alike = left.view.method === right.view.method;
    scale.disabled = !alike;
    only(this.tools, ".g-units", HTMLElement).textContent = alike ? "" : strings.units;
    const own = this.#sides.map((side) => largest(side.values));
    const common = alike && scale.checked ? Math.max(...own) : 0;
    this.#sides.forEach((side, at) => side.draw(common || own[at]));
    drawWords(this, left, right, strings);
    this.#select(left, -1);
    /** @type {Record<string, string>} */
    const choice = { scale: scale.checked ? "" : "own" };
    for (const side of this.#sides) {
      choice[side.name] = side.passage?.id ?? "";
      choice[`${side.name}-class`] = side.view ? className(side.view) : "";
      choice[`${side.name}-method`] = side.view?.method ?? "";
    }
    remember(choice);
  }

  /** @param {Side} side @param {Event} event */
  #point(side, event) {
    const span = event.target instanceof Element ? event.target.closest("[data-w]") : null;
    if (span instanceof HTMLElement) this.#select(side, Number(span.dataset.w));
  }

  /** @param {Side} side @param {KeyboardEvent} event */
  #key(side, event) {
    const word = wordAfter(event.key, side.word, side.spans.length);
    if (word === null) return;
    this.#select(side, word);
    event.preventDefault();
  }

  /**
   * Light up a word, and the same word on the other side: the word itself if the passage is the same, else every word of its form.
   * @param {Side} side @param {number} word -1 for none
   */
  #select(side, word) {
    const [left, right] = this.#sides;
    const other = left === side ? right : left;
    for (const { section } of this.#sides) for (const span of section.querySelectorAll(".here, .also")) span.classList.remove("here", "also");
    side.word = word;
    const line = only(this, ".g-focus", HTMLElement);
    if (word < 0) {
      line.textContent = matchMedia("(hover: none)").matches ? this.strings.hint_touch : this.strings.hint;
      return;
    }
    side.spans[word].classList.add("here");
    const same = side.passage?.id === other.passage?.id;
    const form = side.passage?.forms[word];
    if (same) other.spans[word].classList.add("here");
    else for (const twin of other.wordsOf(form)) other.spans[twin].classList.add("also");
    const match = same ? word : other.strongest(form);
    const strong = document.createElement("strong");
    strong.textContent = side.spans[word].textContent;
    line.replaceChildren(strong, " ", left === side ? this.#sentence(word, match) : this.#sentence(match, word));
  }

  /** Say value and rank of a word on both sides. @param {number} left word, -1 if the side has none @param {number} right */
  #sentence(left, right) {
    const { strings } = this;
    const pattern = left < 0 ? strings.only_right : right < 0 ? strings.only_left : strings.both;
    const [a, b] = this.#sides.map((side, at) => {
      const word = at ? right : left;
      return word < 0 ? { value: "", rank: "" } : { value: written(side.values[word], strings.locale, 3, side.view?.signs ?? true), rank: rank(side.values, word) };
    });
    return fill(pattern, { left: a.value, left_rank: a.rank, right: b.value, right_rank: b.rank });
  }
}
