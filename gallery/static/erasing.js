// <gallery-erasing>: beside a <gallery-words>, a slider takes words out, strongest first. The text fades, the probabilities of all classes move. Every stop was
// computed beforehand; nothing is computed here.

import { onReturn, remember } from "./address.js";
import { draw, fill, make, only } from "./dom.js";
import { reasonOf, sayFailure } from "./failure.js";
import { percent } from "./numbers.js";
import { loadPassage } from "./passage.js";
import { spell } from "./shading.js";

/**
 * @typedef {object} Erasing what gallery/site/pages/erasing.py writes; S stops, C classes, W words
 * @property {number} target the model's answer
 * @property {string[]} classes [C] names
 * @property {number[]} order [W] words, strongest first
 * @property {number[]} counts [S] words erased or kept
 * @property {number[][]} without [S, C] probabilities
 * @property {number[][]} alone [S, C]
 * @property {{orders: number, stops: number[], without: number[][], alone: number[][]}} [random] means over random orders, at some stops
 */

/** Classes whose probability never reaches this are shown as a single sum. */
const SEEN = 0.01;
const WIDTH = 320;

export class GalleryErasing extends HTMLElement {
  /** @type {Erasing | undefined} once the numbers have come */
  #data = undefined;
  /** @type {HTMLElement[]} by word */
  #spans = [];
  /** Classes with a bar of their own. @type {number[]} */
  #shown = [];
  #left = new AbortController();

  connectedCallback() {
    this.#left = new AbortController();
    const { form } = this;
    form.hidden = false;
    form.addEventListener("input", () => {
      remember({ erased: this.stop ? String(this.stop) : "", kept: this.stop && this.way === "alone" ? "1" : "" });
      void this.#show();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    onReturn(() => this.#fromAddress(), this.#left.signal);
    this.#fromAddress();
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  get form() {
    return only(this, "form", HTMLFormElement);
  }

  get slider() {
    return only(this, "input[type=range]", HTMLInputElement);
  }

  get says() {
    return only(this, ".g-erase-says", HTMLElement);
  }

  get stop() {
    return Number(this.slider.value);
  }

  /** @returns {"without" | "alone"} */
  get way() {
    return only(this, "input[value=alone]", HTMLInputElement).checked ? "alone" : "without";
  }

  #fromAddress() {
    const asked = new URLSearchParams(location.search);
    this.slider.value = String(Number(asked.get("erased")) || 0);
    only(this, `input[value=${asked.get("kept") ? "alone" : "without"}]`, HTMLInputElement).checked = true;
    if (this.stop || this.#data) void this.#show();
  }

  /** Fetch the numbers, the first time, and show what the form asks for. */
  async #show() {
    if (!this.#data) {
      try {
        const passage = await loadPassage(document.querySelector("gallery-words")?.getAttribute("src") ?? "");
        if (!passage.erasing || !this.isConnected) return;
        this.#begin(passage.erasing, passage.text);
      } catch (error) {
        sayFailure(this.says, this.dataset, reasonOf(error), () => void this.#show());
        return;
      }
    }
    if (this.#data) this.#draw(this.#data);
  }

  /** @param {Erasing} data @param {string[][]} text */
  #begin(data, text) {
    this.#data = data;
    this.#spans = spell(only(this, ".g-erase-text", HTMLElement), text);
    const most = data.classes.map((_, c) => Math.max(...data.without.map((row) => row[c]), ...data.alone.map((row) => row[c])));
    this.#shown = data.classes.map((_, c) => c).filter((c) => most[c] >= SEEN);
    const first = data.without[0];
    this.#shown.sort((a, b) => first[b] - first[a]);
    const bars = only(this, ".g-bars", HTMLOListElement);
    const names = this.#shown.map((c) => data.classes[c]);
    if (this.#shown.length < data.classes.length) names.push(this.dataset.rest ?? "");
    bars.replaceChildren(
      ...names.map((name) => {
        const picture = draw("svg", { class: "g-bar", "aria-hidden": "true" });
        picture.append(draw("rect", { height: "100%" }));
        return make("li", {}, make("span", {}, name), make("span", { class: "g-number" }), picture);
      }),
    );
  }

  /** @param {Erasing} data */
  #draw(data) {
    const { stop, way } = this;
    const row = data[way][way === "alone" && !stop ? data.alone.length - 1 : stop];
    const locale = this.getAttribute("locale") ?? "";
    const shares = this.#shown.map((c) => row[c]);
    const rest = row.reduce((sum, share) => sum + share, 0) - shares.reduce((sum, share) => sum + share, 0);
    const best = row.indexOf(Math.max(...row));
    [...only(this, ".g-bars", HTMLOListElement).children].forEach((item, at) => {
      const share = shares[at] ?? Math.max(0, rest);
      item.classList.toggle("g-true", this.#shown[at] === best);
      item.children[1].textContent = percent(share, locale, 1);
      item.querySelector("rect")?.setAttribute("width", `${100 * share}%`);
    });
    const taken = new Set(data.order.slice(0, data.counts[stop]));
    this.#spans.forEach((span, word) => span.classList.toggle("g-erased", stop > 0 && taken.has(word) === (way === "without")));
    const mark = only(this, ".g-stop", SVGElement);
    mark.toggleAttribute("hidden", way === "alone");
    mark.setAttribute("x", String((WIDTH * stop) / (data.counts.length - 1) - 1));
    this.says.textContent = stop ? this.#sentence(data, row, best, locale) : "";
  }

  /** @param {Erasing} data @param {number[]} row @param {number} best the likeliest class @param {string} locale */
  #sentence(data, row, best, locale) {
    const { stop, way } = this;
    const { target, classes, counts, order, random } = data;
    const whole = data.without[0][target];
    const values = { words: counts[stop], count: order.length, name: classes[target], share: percent(row[target], locale, 1), whole: percent(whole, locale, 1) };
    const parts = [fill(this.dataset[way] ?? "", values)];
    if (best !== target) parts.push(fill(this.dataset.other ?? "", { name: classes[best], share: percent(row[best], locale, 1) }));
    const at = random?.stops.indexOf(stop) ?? -1;
    if (random && at >= 0) parts.push(fill(this.dataset.random ?? "", { share: percent(random[way][at][target], locale, 1), orders: random.orders }));
    return parts.join(" ");
  }
}
