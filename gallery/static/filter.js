// <gallery-filter>: the cards of the index, filtered and ordered; the choice stays in the address.
// A long list comes in pages. Then `src` is an index of all passages, fetched once a choice is made, and the chosen cards are taken
// from the pages that hold them.

import { onReturn } from "./address.js";
import { all, fill, only } from "./dom.js";
import { FetchError, reasonOf } from "./failure.js";
import { fetchJson, fetchPage } from "./fetching.js";

const PAGE = 100; // cards on a page, as in gallery/site/pages/paging.py
const STEP = 24; // chosen cards that are fetched at once

/** @typedef {{true: number[], predicted: number[], confidence: number, words: number}} Row what filters need of a passage; of most models, one class each */

/** Return whether a passage is wanted. @param {Row} row @param {Record<string, string>} wanted */
function fits(row, wanted) {
  const verdict = row.true.length === row.predicted.length && row.true.every((name) => row.predicted.includes(name)) ? "right" : "wrong";
  return (
    (!wanted.author || row.true.includes(Number(wanted.author))) &&
    (!wanted.predicted || row.predicted.includes(Number(wanted.predicted))) &&
    (!wanted.verdict || wanted.verdict === verdict) &&
    within(100 * row.confidence, wanted.confidence) &&
    within(row.words, wanted.words)
  );
}

/** Return whether a number lies in a range such as "50-90", its upper end left out; without a range every number does. @param {number} value @param {string | undefined} range */
function within(value, range) {
  const [from, to] = (range ?? "").split("-");
  return !range || (value >= Number(from) && (!to || value < Number(to)));
}

/** @type {Record<string, (a: Row, b: Row) => number>} */
const ORDERS = {
  sure: (a, b) => b.confidence - a.confidence,
  unsure: (a, b) => a.confidence - b.confidence,
  long: (a, b) => b.words - a.words,
  short: (a, b) => a.words - b.words,
};

export class GalleryFilter extends HTMLElement {
  /** @type {HTMLElement[] | null} cards that came with the page */
  #own = null;
  /** @type {Map<number, Promise<HTMLElement[]>>} cards of the list's pages that were asked for, by the page's number */
  #pages = new Map();
  /** @type {Row[] | null} */
  #rows = null;
  /** @type {number[]} passages that the choice leaves, in its order */
  #chosen = [];
  /** Cards of the choice that are shown. */
  #limit = 0;
  /** Counts choices, so that a slow answer to an earlier choice is dropped. */
  #turn = 0;
  #left = new AbortController();

  connectedCallback() {
    this.#own ??= all(this.list, ":scope > *", HTMLElement);
    this.#left = new AbortController();
    const { form } = this;
    form.onchange = () => void this.#apply(true);
    form.onsubmit = (event) => event.preventDefault();
    for (const more of all(this, ".g-more button", HTMLButtonElement)) more.onclick = () => void this.#show(this.#limit + STEP);
    for (const again of all(this, ".g-failed button", HTMLButtonElement)) again.onclick = () => void this.#apply(false);
    onReturn(() => this.#fromAddress(), this.#left.signal);
    this.#fromAddress();
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  get form() {
    return only(this, "form", HTMLFormElement);
  }

  get list() {
    return only(this, ".g-cards", HTMLElement);
  }

  #fromAddress() {
    const asked = new URLSearchParams(location.search);
    for (const field of all(this.form, "select", HTMLSelectElement)) {
      field.value = asked.get(field.name) ?? "";
      if (field.selectedIndex < 0) field.value = "";
    }
    void this.#apply(false);
  }

  /** Show what the form asks for. @param {boolean} keep the choice in the address */
  async #apply(keep) {
    const turn = ++this.#turn;
    const wanted = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value !== "").map(([name, value]) => [name, String(value)]));
    if (keep) {
      const query = new URLSearchParams(wanted).toString();
      history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
    }
    if (this.hasAttribute("src") && !Object.keys(wanted).length) {
      this.#showOwn();
      return;
    }
    const rows = await this.#attempt(() => this.#fetchRows());
    if (!rows || turn !== this.#turn) return;
    this.#chosen = [...rows.keys()].filter((number) => fits(rows[number], wanted));
    const order = ORDERS[wanted.order];
    if (order) this.#chosen.sort((a, b) => order(rows[a], rows[b]));
    this.#count({ shown: this.#chosen.length, all: rows.length });
    await this.#show(this.hasAttribute("src") ? STEP : PAGE);
  }

  /** Write how many passages are shown, or nothing. @param {{shown: number, all: number} | null} counts */
  #count(counts) {
    const output = this.form.querySelector("output");
    if (output) output.textContent = counts ? fill(output.dataset.template ?? "", counts) : "";
  }

  /** Show a long list's own page again, as it came. */
  #showOwn() {
    this.list.replaceChildren(...(this.#own ?? []));
    this.#toggle(".g-pager", true);
    this.#toggle(".g-more", false);
    this.#count(null);
  }

  /** Show the first of the chosen passages. @param {number} limit */
  async #show(limit) {
    const turn = this.#turn;
    const cards = await this.#attempt(() => Promise.all(this.#chosen.slice(0, limit).map((number) => this.#card(number))));
    if (!cards || turn !== this.#turn) return;
    this.#limit = limit;
    this.list.replaceChildren(...cards);
    this.#toggle(".g-pager", false);
    this.#toggle(".g-more", this.#chosen.length > limit);
  }

  /** Return what filters need of every passage, in the list's order. @returns {Promise<Row[]>} */
  async #fetchRows() {
    const index = this.getAttribute("src");
    this.#rows ??= index === null ? (this.#own ?? []).map((card) => rowOf(card.dataset)) : rowsOf(await fetchJson(index));
    return this.#rows;
  }

  /** Return a passage's card, from the page that holds it. @param {number} number of the passage @returns {Promise<HTMLElement>} */
  async #card(number) {
    if (!this.hasAttribute("src")) return /** @type {HTMLElement[]} */ (this.#own)[number];
    const page = Math.floor(number / PAGE) + 1;
    const cards = this.#pages.get(page) ?? this.#fetchCards(page);
    this.#pages.set(page, cards);
    try {
      const card = (await cards)[number % PAGE];
      if (!card) throw new FetchError(`page ${page}`); // cut off on its way, or published anew since the index was
      return card;
    } catch (error) {
      this.#pages.delete(page);
      throw error;
    }
  }

  /** @param {number} number of a page of the list @returns {Promise<HTMLElement[]>} */
  async #fetchCards(number) {
    const front = this.getAttribute("pages") || "./";
    const { page, address } = await fetchPage(number === 1 ? front : `${front}passages/page/${number}/`);
    const cards = all(page, "gallery-filter .g-card", HTMLElement);
    for (const link of cards.flatMap((card) => all(card, "a", HTMLAnchorElement))) {
      link.href = new URL(link.getAttribute("href") ?? "", address).href;
    }
    return cards;
  }

  /**
   * Do what needs the network: with a sign while it lasts, and a message and a second try where it fails.
   * @template T @param {() => Promise<T>} work @returns {Promise<T | undefined>} undefined where it failed
   */
  async #attempt(work) {
    this.#toggle(".g-failed", false);
    this.list.ariaBusy = "true";
    try {
      return await work();
    } catch (error) {
      reasonOf(error);
      this.#toggle(".g-failed", true);
      return undefined;
    } finally {
      this.list.ariaBusy = "false";
    }
  }

  /** @param {string} selector @param {boolean} shown */
  #toggle(selector, shown) {
    for (const part of all(this, selector, HTMLElement)) part.hidden = !shown;
  }
}

/** @param {DOMStringMap} data of a card @returns {Row} */
function rowOf(data) {
  const numbers = (/** @type {string | undefined} */ text) => (text ? text.split(" ").map(Number) : []);
  return { true: numbers(data.true), predicted: numbers(data.predicted), confidence: Number(data.confidence), words: Number(data.words) };
}

/** Turn columns into rows. @param {{true: (number | number[])[], predicted: (number | number[])[], confidence: number[], words: number[]}} columns @returns {Row[]} */
function rowsOf(columns) {
  return columns.true.map((name, at) => ({ true: [name].flat(), predicted: [columns.predicted[at]].flat(), confidence: columns.confidence[at], words: columns.words[at] }));
}
