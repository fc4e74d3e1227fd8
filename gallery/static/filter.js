// <gallery-filter>: the cards of the index, filtered and ordered; the choice stays in the address.
// A long list comes in pages. Then `src` is an index of all passages, fetched once a choice is made, and the cards
// chosen are taken from the pages they stand on.

const PAGE = 100; // cards on a page, as in gallery/site/pages/paging.py
const STEP = 24; // cards of a choice that are fetched at once

/** @typedef {{true: number, predicted: number, confidence: number, words: number}} Row */

/** Whether a passage is wanted.
 * @param {Row} row
 * @param {Record<string, string>} wanted */
export function fits(row, wanted) {
  const verdict = row.true === row.predicted ? "right" : "wrong";
  return (
    (!wanted.author || Number(wanted.author) === row.true) &&
    (!wanted.predicted || Number(wanted.predicted) === row.predicted) &&
    (!wanted.verdict || wanted.verdict === verdict) &&
    within(100 * row.confidence, wanted.confidence) &&
    within(row.words, wanted.words)
  );
}

/** Whether a number lies in a range such as "50-90", its upper end left out; any number does where there is none.
 * @param {number} value
 * @param {string | undefined} range */
function within(value, range) {
  const [from, to] = (range ?? "").split("-");
  return !range || (value >= Number(from) && (!to || value < Number(to)));
}

/** @type {Record<string, (a: Row, b: Row) => number>} */
export const ORDERS = {
  sure: (a, b) => b.confidence - a.confidence,
  unsure: (a, b) => a.confidence - b.confidence,
  long: (a, b) => b.words - a.words,
  short: (a, b) => a.words - b.words,
};

export class GalleryFilter extends HTMLElement {
  /** The cards that came with the page. @type {HTMLElement[] | undefined} */
  own;
  /** Pages of the list that were asked for, by number. @type {Map<number, Promise<HTMLElement[]>> | undefined} */
  pages;
  /** @type {Row[] | undefined} */
  rows;

  connectedCallback() {
    this.form = /** @type {HTMLFormElement} */ (this.querySelector("form"));
    this.list = /** @type {HTMLElement} */ (this.querySelector(".g-cards"));
    this.own ??= /** @type {HTMLElement[]} */ ([...this.list.children]);
    this.pages ??= new Map();
    this.turn = 0;
    this.form.onchange = () => this.apply(true);
    this.form.onsubmit = (event) => event.preventDefault();
    const more = /** @type {HTMLButtonElement?} */ (this.querySelector(".g-more button"));
    if (more) more.onclick = () => this.show(this.limit + STEP);
    const again = /** @type {HTMLButtonElement?} */ (this.querySelector(".g-failed button"));
    if (again) again.onclick = () => this.apply(false);
    const here = location.pathname; // on the way back the address is the other page's before that page is there
    this.read = () => location.pathname === here && this.fromAddress();
    addEventListener("popstate", this.read);
    this.fromAddress();
  }

  disconnectedCallback() {
    if (this.read) removeEventListener("popstate", this.read);
  }

  fromAddress() {
    const asked = new URLSearchParams(location.search);
    for (const field of /** @type {Iterable<HTMLSelectElement>} */ (this.form.querySelectorAll("select"))) {
      field.value = asked.get(field.name) ?? "";
      if (field.selectedIndex < 0) field.value = "";
    }
    this.apply(false);
  }

  /** @param {boolean} remember */
  async apply(remember) {
    const turn = ++this.turn;
    const wanted = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value !== "").map(([name, value]) => [name, String(value)]));
    if (remember) {
      const query = new URLSearchParams(wanted).toString();
      history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
    }
    if (this.hasAttribute("src") && !Object.keys(wanted).length) {
      this.whole();
      return;
    }
    const rows = await this.attempt(() => this.everything());
    if (!rows || turn !== this.turn) return;
    this.chosen = [...rows.keys()].filter((place) => fits(rows[place], wanted));
    const order = ORDERS[wanted.order];
    if (order) this.chosen.sort((a, b) => order(rows[a], rows[b]));
    const count = this.form.querySelector("output");
    if (count) count.textContent = (count.dataset.template ?? "").replace("{shown}", String(this.chosen.length)).replace("{all}", String(rows.length));
    await this.show(this.hasAttribute("src") ? STEP : PAGE);
  }

  /** Show a long list's own page again, as it came. */
  whole() {
    this.list.replaceChildren(...this.own);
    this.toggle(".g-pager", true);
    this.toggle(".g-more", false);
    const count = this.form.querySelector("output");
    if (count) count.textContent = "";
  }

  /** Show the first of the passages chosen.
   * @param {number} limit */
  async show(limit) {
    const turn = this.turn;
    const places = this.chosen.slice(0, limit);
    const cards = await this.attempt(() => Promise.all(places.map((place) => this.card(place))));
    if (!cards || turn !== this.turn) return;
    this.limit = limit;
    this.list.replaceChildren(...cards);
    this.toggle(".g-pager", false);
    this.toggle(".g-more", this.chosen.length > limit);
  }

  /** What filters need of every passage, in the list's order.
   * @returns {Promise<Row[]>} */
  async everything() {
    const source = this.getAttribute("src");
    this.rows ??= source === null ? this.own.map((card) => row(card.dataset)) : table(await (await get(source)).json());
    return this.rows;
  }

  /** A passage's card, from the page that has it.
   * @param {number} place */
  async card(place) {
    if (!this.hasAttribute("src")) return this.own[place];
    const number = Math.floor(place / PAGE) + 1;
    if (!this.pages.has(number)) this.pages.set(number, this.fetchPage(number));
    try {
      return (await /** @type {Promise<HTMLElement[]>} */ (this.pages.get(number)))[place % PAGE];
    } catch (error) {
      this.pages.delete(number);
      throw error;
    }
  }

  /** @param {number} number */
  async fetchPage(number) {
    const front = this.getAttribute("pages") || "./";
    const answer = await get(number === 1 ? front : `${front}passages/page/${number}/`);
    const other = new DOMParser().parseFromString(await answer.text(), "text/html");
    const cards = /** @type {HTMLElement[]} */ ([...other.querySelectorAll("gallery-filter .g-card")]);
    for (const link of cards.flatMap((card) => [...card.querySelectorAll("a")])) {
      link.href = new URL(link.getAttribute("href") ?? "", answer.url).href;
    }
    return cards;
  }

  /** Do what needs the network: with a sign while it lasts, and a message and a second try where it fails.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T | undefined>} */
  async attempt(work) {
    this.toggle(".g-failed", false);
    this.list.ariaBusy = "true";
    try {
      return await work();
    } catch {
      this.toggle(".g-failed", true);
      return undefined;
    } finally {
      this.list.ariaBusy = "false";
    }
  }

  /** @param {string} selector
   * @param {boolean} shown */
  toggle(selector, shown) {
    const part = /** @type {HTMLElement?} */ (this.querySelector(selector));
    if (part) part.hidden = !shown;
  }
}

/** @param {DOMStringMap} data
 * @returns {Row} */
function row(data) {
  return { true: Number(data.true), predicted: Number(data.predicted), confidence: Number(data.confidence), words: Number(data.words) };
}

/** Turn columns into rows.
 * @param {Record<string, number[]>} columns
 * @returns {Row[]} */
function table(columns) {
  const names = Object.keys(columns);
  return columns.true.map((_, place) => /** @type {Row} */ (Object.fromEntries(names.map((name) => [name, columns[name][place]]))));
}

/** @param {string} address */
async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer;
}
