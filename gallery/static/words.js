// <gallery-words>: the passage, shaded by what each word adds to the score of a class.
import { loadPassage } from "./passage.js";
import { className, decimals, largest, load, percent, rank, remember, shade, signed } from "./shading.js";

/**
 * @typedef {import("./shading.js").View} View
 * @typedef {{locale: string, levels: number, views: View[]}} Data
 */

const SCALE = "gallery-scale";

export class GalleryWords extends HTMLElement {
  connectedCallback() {
    const given = this.querySelector("template")?.content.textContent; // no <script>: instant navigation would run it
    if (!given) return;
    /** @type {Data} */
    this.data = JSON.parse(given);
    /** @type {HTMLElement[]} */
    this.spans = [...this.querySelectorAll(".g-text .w")].map((span) => /** @type {HTMLElement} */ (span));
    this.text = /** @type {HTMLElement} */ (this.querySelector(".g-text"));
    this.focusLine = /** @type {HTMLElement} */ (this.querySelector(".g-focus"));
    this.current = 0;
    /** Where the shading ends, once a view was chosen. @type {number|undefined} */
    this.end = undefined;
    this.word = -1;
    this.form = /** @type {HTMLFormElement} */ (this.querySelector(".g-switch"));
    this.form.addEventListener("change", (event) => {
      if (event.target === this.scale) sessionStorage.setItem(SCALE, this.scale.checked ? "gallery" : "");
      this.show(this.chosen());
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const soon of ["pointerenter", "focusin"]) this.form.addEventListener(soon, () => this.fetchViews().catch(() => {}), { once: true });
    this.scale = /** @type {HTMLInputElement} */ (this.querySelector("input[name=scale]"));
    this.text.addEventListener("pointerover", (event) => this.pointed(event));
    this.text.addEventListener("click", (event) => this.pointed(event));
    this.text.addEventListener("pointerleave", () => this.select(-1));
    this.text.addEventListener("keydown", (event) => this.key(event));
    const here = location.pathname; // on the way back the address is the other page's before that page is there
    this.follow = () => location.pathname === here && this.fromAddress();
    addEventListener("popstate", this.follow);
    this.fromAddress();
  }

  disconnectedCallback() {
    if (this.follow) removeEventListener("popstate", this.follow);
  }

  /** Show what the address asks for: class, method, scale, word. */
  fromAddress() {
    const { views } = this.data;
    const asked = new URLSearchParams(location.search);
    this.scale.checked = (asked.get("scale") ?? sessionStorage.getItem(SCALE)) === "gallery";
    const method = asked.get("method") ?? views[0].method;
    const name = asked.get("class") ?? className(views[0]);
    const index = Math.max(0, views.findIndex((view) => view.method === method && className(view) === name));
    const word = asked.has("word") ? Number(asked.get("word")) : -1;
    this.choose(index);
    if (index !== this.current || this.scale.checked || this.scaled) this.show(index);
    if (word in this.spans) {
      this.select(word);
      this.spans[word].scrollIntoView({ block: "center" });
    }
  }

  /** The view that the switches ask for. */
  chosen() {
    const { views } = this.data;
    const values = new FormData(this.form);
    const method = values.get("method") ?? views[0].method;
    const exact = views.findIndex((view) => view.method === method && className(view) === values.get("class"));
    return exact >= 0 ? exact : views.findIndex((view) => view.method === method && `${view.target}` === String(values.get("class")).split("-")[0]);
  }

  /** Set the switches to a view. @param {number} index */
  choose(index) {
    const radios = /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("input[name=class]"));
    for (const radio of radios) radio.checked = radio.value === className(this.data.views[index]);
    const select = /** @type {HTMLSelectElement|null} */ (this.querySelector("select[name=method]"));
    if (select) select.value = this.data.views[index].method;
  }

  /** @param {Event} event */
  pointed(event) {
    const span = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".w"));
    if (span) this.select(this.spans.indexOf(span));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.select(-1);
    else if (event.key === "Home") this.select(0);
    else if (event.key === "End") this.select(this.spans.length - 1);
    else if (step) this.select(Math.max(0, Math.min(this.spans.length - 1, this.word + step)));
    else return;
    event.preventDefault();
  }

  /** @param {number} word */
  select(word) {
    this.spans[this.word]?.classList.remove("here");
    this.word = word;
    const line = this.focusLine;
    const { values } = this.data.views[this.current];
    if (word < 0 || !values) {
      line.textContent = line.dataset.empty ?? "";
      return;
    }
    this.spans[word].classList.add("here");
    const { locale } = this.data;
    const total = values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
    const parts = {
      value: signed(values[word], locale, 3),
      share: percent(Math.abs(values[word]) / total, locale, 1),
      rank: String(rank(values, word)),
      count: String(values.length),
    };
    const strong = document.createElement("strong");
    strong.textContent = this.spans[word].textContent;
    const rest = (line.dataset.template ?? "").replace(/\{(\w+)\}/g, (_, name) => parts[/** @type {keyof typeof parts} */ (name)]);
    line.replaceChildren(strong, " ", rest);
  }

  /** Fetch the numbers of the views that did not come with the page. */
  async fetchViews() {
    const { views } = this.data;
    if (views.every((view) => view.values)) return;
    const passage = await loadPassage(this.getAttribute("src") ?? "");
    for (const view of views) {
      view.values ??= passage.views.find((other) => other.method === view.method && className(other) === className(view))?.values;
    }
  }

  /** @param {number} index */
  async show(index) {
    const { levels, views, locale } = this.data;
    const asked = (this.asked = Symbol());
    let scale;
    try {
      if (!views[index].values) await this.fetchViews();
      scale = this.scale.checked ? (await load(this.getAttribute("scales") ?? ""))[views[index].method] : largest(views[index].values ?? []);
    } catch (error) {
      if (asked === this.asked) this.fail(error);
      return;
    }
    if (asked !== this.asked || !this.isConnected) return;
    this.current = index;
    this.end = scale;
    this.scaled = this.scale.checked;
    const values = views[index].values ?? [];
    this.spans.forEach((span, word) => (span.className = shade(values[word], scale, levels)));
    for (const end of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[data-end]"))) {
      end.textContent = signed(end.dataset.end === "for" ? scale : -scale, locale, decimals(scale));
    }
    this.select(this.word);
    this.remember();
    document.dispatchEvent(new CustomEvent("gallery:view", { detail: { index, values, locale } }));
  }

  /** Say what could not be fetched, and offer to try again. @param {unknown} error */
  fail(error) {
    const line = this.focusLine;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "g-again";
    button.textContent = line.dataset.again ?? "";
    button.addEventListener("click", () => this.show(this.chosen()));
    line.replaceChildren((line.dataset.failed ?? "").replace("{reason}", error instanceof Error ? error.message : String(error)), " ", button);
  }

  /** Keep what is shown in the address; the first view and the passage's own scale need no words. */
  remember() {
    const [first] = this.data.views;
    const view = this.data.views[this.current];
    remember({
      class: className(view) === className(first) ? "" : className(view),
      method: view.method === first.method ? "" : view.method,
      scale: this.scale.checked ? "gallery" : "",
    });
  }
}
