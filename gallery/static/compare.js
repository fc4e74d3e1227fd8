// <gallery-compare>: two passages, classes or methods side by side, with linked words and scales; the choice stays in the address.
import { loadPassage } from "./passage.js";
import { className, decimals, largest, load, percent, rank, remember, shade, signed, spell } from "./shading.js";

const ROWS = 20;
const STRONGEST = 10;

/**
 * @typedef {import("./shading.js").Passage} Passage
 * @typedef {Required<import("./shading.js").View>} View
 * @typedef {{id: string, title: string, author: string}} Listed
 * @typedef {Record<string, string> & {levels: number, labels: string[], methods: Record<string, string>}} Strings
 */

/** One side of the comparison: what is chosen there, and the words as they stand on the page. */
class Side {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
    this.name = section.dataset.side ?? "";
    this.form = /** @type {HTMLFormElement} */ (section.querySelector("form"));
    this.text = /** @type {HTMLElement} */ (section.querySelector(".g-text"));
    /** @type {HTMLElement[]} */
    this.spans = [];
    this.word = -1;
  }

  /** @param {string} name @returns {HTMLSelectElement | null} */
  field(name) {
    return this.form.querySelector(`select[name=${name}]`);
  }

  /** @param {string} selector */
  part(selector) {
    return /** @type {HTMLElement} */ (this.section.querySelector(selector));
  }

  /** Take a passage, and the view nearest to what was asked. @param {Passage} passage @param {string | null} wanted class @param {string | null} method */
  take(passage, wanted, method) {
    if (this.passage !== passage) this.spans = spell(this.text, passage.text);
    this.passage = passage;
    const { views } = passage;
    const answer = views.find((view) => view.target === passage.predicted) ?? views[0];
    const asked = views.filter((view) => view.method === method);
    const among = asked.length ? asked : views.filter((view) => view.method === views[0].method);
    this.view = among.find((view) => className(view) === wanted) ?? among.find((view) => className(view) === className(answer)) ?? among[0];
  }

  /** Forms of the words, by which the same word is found on the other side. @param {number} word */
  formOf(word) {
    return this.passage?.forms[word];
  }

  /** The strongest word of a form, or -1. @param {string | undefined} form */
  find(form) {
    let found = -1;
    this.passage?.forms.forEach((other, word) => {
      if (other === form && (found < 0 || Math.abs(this.values[word]) > Math.abs(this.values[found]))) found = word;
    });
    return found;
  }

  get values() {
    return this.view?.values ?? [];
  }

  get total() {
    return this.values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
  }
}

export class GalleryCompare extends HTMLElement {
  connectedCallback() {
    const given = this.querySelector("template")?.content.textContent;
    if (!given) return;
    /** @type {Strings} */
    this.strings = JSON.parse(given);
    const [left, right] = [...this.querySelectorAll("section[data-side]")].map((section) => new Side(/** @type {HTMLElement} */ (section)));
    this.sides = [left, right];
    this.focusLine = /** @type {HTMLElement} */ (this.querySelector(".g-focus"));
    this.tools = /** @type {HTMLFormElement} */ (this.querySelector(".g-compare-tools"));
    this.scale = /** @type {HTMLInputElement} */ (this.tools.querySelector("[name=scale]"));
    this.failure = /** @type {HTMLElement} */ (this.querySelector(".g-failed"));
    for (const side of this.sides) {
      side.form.addEventListener("change", () => this.changed(side));
      side.form.addEventListener("submit", (event) => event.preventDefault());
      for (const kind of ["pointerover", "click"]) side.text.addEventListener(kind, (event) => this.pointed(side, event));
      side.text.addEventListener("pointerleave", () => this.select(side, -1));
      side.text.addEventListener("keydown", (event) => this.key(side, event));
    }
    this.scale.addEventListener("change", () => this.draw());
    this.tools.addEventListener("submit", (event) => event.preventDefault());
    /** @type {HTMLElement} */ (this.tools.querySelector("[name=swap]")).addEventListener("click", () => this.swap());
    /** @type {HTMLElement} */ (this.failure.querySelector("button")).addEventListener("click", () => this.fromAddress());
    const here = location.pathname; // on the way back the address is the other page's before that page is there
    this.follow = () => location.pathname === here && this.fromAddress();
    addEventListener("popstate", this.follow);
    this.fromAddress();
  }

  disconnectedCallback() {
    if (this.follow) removeEventListener("popstate", this.follow);
  }

  /** Show what the address asks for; what it leaves open is filled in: the first passage, and the one behind the left one. */
  async fromAddress() {
    const asked = new URLSearchParams(location.search);
    this.scale.checked = asked.get("scale") !== "own";
    await this.trying(async () => {
      /** @type {Listed[]} */
      const listed = await load(`${this.getAttribute("data")}passages.json`);
      this.offer(listed);
      const known = new Set(listed.map((one) => one.id));
      const unknown = this.sides.map((side) => asked.get(side.name)).find((id) => id && !known.has(id));
      const [left, right] = this.sides.map((side) => asked.get(side.name) ?? "");
      const first = known.has(left) ? left : listed[0].id;
      const behind = listed[(listed.findIndex((one) => one.id === first) + 1) % listed.length].id;
      const chosen = [first, known.has(right) ? right : behind];
      const passages = await Promise.all(chosen.map((id) => this.fetchPassage(id)));
      this.sides.forEach((side, at) => side.take(passages[at], asked.get(`${side.name}-class`), asked.get(`${side.name}-method`)));
      this.draw();
      if (unknown) this.fail(this.strings.unknown.replace("{id}", unknown), false);
    });
  }

  /** @param {string} id @returns {Promise<Passage>} */
  fetchPassage(id) {
    return loadPassage(`${this.getAttribute("data")}${id}/${this.getAttribute("numbers")}`);
  }

  /** Do what needs the network, and say so where it fails. @param {() => Promise<void>} work */
  async trying(work) {
    const turn = (this.turn = Symbol());
    this.failure.hidden = true;
    try {
      await work();
    } catch (error) {
      if (turn === this.turn) this.fail(this.strings.failed.replace("{reason}", error instanceof Error ? error.message : String(error)), true);
    }
  }

  /** @param {string} message @param {boolean} again */
  fail(message, again) {
    /** @type {HTMLElement} */ (this.failure.querySelector("span")).textContent = message;
    /** @type {HTMLElement} */ (this.failure.querySelector("button")).hidden = !again;
    this.failure.hidden = false;
  }

  /** Fill the lists of passages, by author. @param {Listed[]} listed */
  offer(listed) {
    /** @type {Map<string, Listed[]>} */
    const authors = new Map();
    for (const one of listed) authors.set(one.author, [...(authors.get(one.author) ?? []), one]);
    for (const side of this.sides) {
      const groups = [...authors].sort(([a], [b]) => a.localeCompare(b, this.strings.locale)).map(([author, own]) => {
        const group = document.createElement("optgroup");
        group.label = author;
        group.append(...own.map((one) => new Option(one.title, one.id)));
        return group;
      });
      side.field("passage")?.replaceChildren(...groups);
    }
  }

  /** @param {Side} side */
  changed(side) {
    const wanted = side.field("class")?.value ?? null;
    const method = side.field("method")?.value ?? null;
    this.trying(async () => {
      side.take(await this.fetchPassage(side.field("passage")?.value ?? ""), wanted, method);
      this.draw();
    });
  }

  swap() {
    const [left, right] = this.sides.map(({ passage, view }) => ({ passage, view }));
    this.sides.forEach((side, at) => {
      const { passage, view } = at ? left : right;
      if (passage && view) side.take(passage, className(view), view.method);
    });
    this.draw();
  }

  /** @param {{target: number, against: number | null}} view */
  shown({ target, against }) {
    const { labels, against: pattern } = this.strings;
    return against === null ? labels[target] : pattern.replace("{one}", labels[target]).replace("{other}", labels[against]);
  }

  draw() {
    if (!this.isConnected || this.sides.some((side) => !side.view)) return;
    const [left, right] = this.sides;
    const alike = left.view?.method === right.view?.method;
    this.scale.disabled = !alike;
    /** @type {HTMLElement} */ (this.tools.querySelector(".g-units")).textContent = alike ? "" : this.strings.units;
    const own = this.sides.map((side) => largest(side.values));
    const common = alike && this.scale.checked ? Math.max(...own) : 0;
    this.sides.forEach((side, at) => this.drawSide(side, common || own[at]));
    this.drawTable();
    this.select(left, -1);
    /** @type {Record<string, string>} */
    const choice = { scale: this.scale.checked ? "" : "own" };
    for (const side of this.sides) {
      choice[side.name] = side.passage?.id ?? "";
      choice[`${side.name}-class`] = side.view ? className(side.view) : "";
      choice[`${side.name}-method`] = side.view?.method ?? "";
    }
    remember(choice);
  }

  /** @param {Side} side @param {number} scale */
  drawSide(side, scale) {
    const { passage, view } = side;
    if (!passage || !view) return;
    const { strings } = this;
    const right = passage.true === passage.predicted;
    const link = /** @type {HTMLAnchorElement} */ (side.part("h2 a"));
    link.textContent = passage.title;
    link.href = `${this.getAttribute("passages")}${passage.id}/`;
    const verdict = side.part(".g-verdict");
    verdict.className = `g-verdict ${right ? "g-right" : "g-wrong"}`;
    verdict.textContent = right ? `✓ ${strings.right}` : `✗ ${strings.wrong.replace("{name}", strings.labels[passage.predicted])}`;
    side.part(".g-compare-verdict .g-number").textContent = percent(passage.confidence, strings.locale, 1);
    side.part(".g-compare-verdict small").textContent = view.error === null ? "" : strings.error.replace("{share}", percent(view.error, strings.locale, 2));
    side.text.lang = passage.language;
    const field = side.field("passage");
    if (field) field.value = passage.id;
    const roles = new Map([[passage.predicted, strings.answer], [passage.true, strings.author]]);
    const views = passage.views.filter((one) => one.method === view.method);
    side.field("class")?.replaceChildren(
      ...views.map((one) => new Option(one.against === null ? `${this.shown(one)} (${roles.get(one.target) ?? strings.runner})` : this.shown(one), className(one))),
    );
    const [classes, methods] = [side.field("class"), side.field("method")];
    if (classes) classes.value = className(view);
    methods?.replaceChildren(...[...new Set(passage.views.map((one) => one.method))].map((name) => new Option(strings.methods[name] ?? name, name)));
    if (methods) methods.value = view.method;
    side.spans.forEach((span, word) => (span.className = shade(view.values[word], scale, strings.levels)));
    side.part("[data-end=for]").textContent = signed(scale, strings.locale, decimals(scale));
    side.part("[data-end=against]").textContent = signed(-scale, strings.locale, decimals(scale));
  }

  /** The words on which the sides differ most, or which both passages have; in shares of each side's total, so that units do not matter. */
  drawTable() {
    const { strings } = this;
    const [left, right] = this.sides;
    const same = left.passage?.id === right.passage?.id;
    const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (this.querySelector(selector));
    /** @type {{word: string, lang: string, a: number, b: number}[]} */
    let rows;
    if (same) {
      rows = left.spans.map((span, word) => ({ word: span.textContent ?? "", lang: left.text.lang, a: left.values[word] / left.total, b: right.values[word] / right.total }));
      rows.sort((one, other) => Math.abs(other.a - other.b) - Math.abs(one.a - one.b));
      const strongest = this.sides.map((side) => new Set(side.values.map((_, word) => word).sort((one, other) => side.values[other] - side.values[one]).slice(0, STRONGEST)));
      const count = [...strongest[0]].filter((word) => strongest[1].has(word)).length;
      part(".g-compare-sum").textContent = strings.same.replace("{count}", String(count));
    } else {
      const sums = this.sides.map((side) => {
        /** @type {Map<string, number>} */
        const found = new Map();
        side.passage?.forms.forEach((form, word) => /[\p{L}\p{N}]/u.test(form) && found.set(form, (found.get(form) ?? 0) + side.values[word] / side.total));
        return found;
      });
      rows = [...sums[0]].flatMap(([word, a]) => (sums[1].has(word) ? [{ word, lang: left.text.lang, a, b: sums[1].get(word) ?? 0 }] : []));
      rows.sort((one, other) => Math.abs(other.a) + Math.abs(other.b) - Math.abs(one.a) - Math.abs(one.b));
      part(".g-compare-sum").textContent = rows.length ? "" : strings.none;
    }
    part("#differences").textContent = same ? strings.apart : strings.shared;
    const longest = Math.max(...rows.slice(0, ROWS).flatMap(({ a, b }) => [Math.abs(a), Math.abs(b)]), Number.MIN_VALUE);
    part(".g-differences tbody").replaceChildren(...rows.slice(0, ROWS).map((row) => this.row(row, longest)));
  }

  /** @param {{word: string, lang: string, a: number, b: number}} values @param {number} longest */
  row({ word, lang, a, b }, longest) {
    const row = document.createElement("tr");
    const cells = [word, ...[a, b].map((share) => signed(100 * share, this.strings.locale, 1))].map((text, at) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (at) cell.className = "g-number";
      else cell.lang = lang;
      return cell;
    });
    const pair = document.createElement("span");
    pair.className = "g-pair";
    for (const share of [a, b]) {
      const bar = document.createElement("span");
      bar.className = `g-bar ${share > 0 ? "g-for" : "g-against"} l${Math.round((20 * Math.abs(share)) / longest)}`;
      pair.append(bar);
    }
    const last = document.createElement("td");
    last.append(pair);
    row.append(...cells, last);
    return row;
  }

  /** @param {Side} side @param {Event} event */
  pointed(side, event) {
    const span = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-w]"));
    if (span) this.select(side, Number(span.dataset.w));
  }

  /** @param {Side} side @param {KeyboardEvent} event */
  key(side, event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.select(side, -1);
    else if (step) this.select(side, Math.max(0, Math.min(side.spans.length - 1, side.word + step)));
    else return;
    event.preventDefault();
  }

  /** Light up a word, and the same word on the other side: the same place of the same passage, or every word of the same form. @param {Side} side @param {number} word */
  select(side, word) {
    const other = this.sides[0] === side ? this.sides[1] : this.sides[0];
    for (const one of this.sides) for (const span of one.section.querySelectorAll(".here, .also")) span.classList.remove("here", "also");
    side.word = word;
    if (word < 0) {
      this.focusLine.textContent = this.strings.hint;
      return;
    }
    side.spans[word].classList.add("here");
    const same = side.passage?.id === other.passage?.id;
    const form = side.formOf(word);
    const found = same ? word : other.find(form);
    if (same) other.spans[word].classList.add("here");
    else other.passage?.forms.forEach((one, at) => one === form && other.spans[at].classList.add("also"));
    const [left, right] = this.sides[0] === side ? [word, found] : [found, word];
    const { locale } = this.strings;
    const say = (/** @type {Side} */ one, /** @type {number} */ at) => (at < 0 ? ["", ""] : [signed(one.values[at], locale, 3), String(rank(one.values, at))]);
    const [[a, aRank], [b, bRank]] = [say(this.sides[0], left), say(this.sides[1], right)];
    const pattern = left < 0 ? this.strings.only_right : right < 0 ? this.strings.only_left : this.strings.both;
    const strong = document.createElement("strong");
    strong.textContent = side.spans[word].textContent;
    const rest = pattern.replace("{left}", a).replace("{left_rank}", aRank).replace("{right}", b).replace("{right_rank}", bRank);
    this.focusLine.replaceChildren(strong, " ", rest);
  }
}
