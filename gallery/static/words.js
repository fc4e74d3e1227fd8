// <gallery-words>: the passage, shaded by what each word adds to the score of a class.

/**
 * @typedef {{method: string, target: number, against: number|null, values: number[], change: number|null, specials: number, delta: number|null}} View
 * @typedef {{locale: string, levels: number, strongest: number, words: string[], views: View[]}} Data
 */

export const MINUS = "\u2212";

/**
 * A number as the page's language writes it, with its sign and a real minus.
 * @param {number} value @param {string} locale @param {number} digits
 */
export function signed(value, locale, digits) {
  const size = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(Math.abs(value));
  return /[1-9]/.test(size) ? (value > 0 ? "+" : MINUS) + size : size;
}

export class GalleryWords extends HTMLElement {
  connectedCallback() {
    const given = this.querySelector("template")?.content.textContent; // no <script>: instant navigation would run it
    if (!given) return;
    /** @type {Data} */
    this.data = JSON.parse(given);
    /** @type {HTMLElement[]} */
    this.spans = [...this.querySelectorAll(".g-text [data-w]")].map((span) => /** @type {HTMLElement} */ (span));
    this.text = /** @type {HTMLElement} */ (this.querySelector(".g-text"));
    this.focusLine = /** @type {HTMLElement} */ (this.querySelector(".g-focus"));
    this.current = 0;
    this.word = -1;
    this.form = /** @type {HTMLFormElement|null} */ (this.querySelector(".g-switch"));
    if (this.form) {
      this.form.hidden = this.data.views.length < 2;
      this.form.addEventListener("change", () => this.show(this.chosen()));
      this.form.addEventListener("submit", (event) => event.preventDefault());
    }
    this.text.addEventListener("pointerover", (event) => this.pointed(event));
    this.text.addEventListener("click", (event) => this.pointed(event));
    this.text.addEventListener("pointerleave", () => this.select(-1));
    this.text.addEventListener("keydown", (event) => this.key(event));
    const asked = Number(new URLSearchParams(location.hash.slice(1)).get("view") ?? 0);
    if (asked && asked in this.data.views) {
      this.choose(asked);
      this.show(asked);
    }
  }

  /** The view that the switches ask for. */
  chosen() {
    const { views } = this.data;
    const values = new FormData(this.form ?? undefined);
    const [target, against] = String(values.get("class")).split("/").map(Number);
    const method = values.get("method") ?? views[0].method;
    const fits = (/** @type {View} */ view) => view.method === method && view.target === target;
    const exact = views.findIndex((view) => fits(view) && view.against === (against ?? null));
    return exact >= 0 ? exact : views.findIndex(fits);
  }

  /** Set the switches to a view. @param {number} index */
  choose(index) {
    const { method, target, against } = this.data.views[index];
    const radios = /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("input[name=class]"));
    for (const radio of radios) radio.checked = radio.value === (against === null ? `${target}` : `${target}/${against}`);
    const select = /** @type {HTMLSelectElement|null} */ (this.querySelector("select[name=method]"));
    if (select) select.value = method;
  }

  /** @param {Event} event */
  pointed(event) {
    const span = /** @type {Element} */ (event.target).closest("[data-w]");
    if (span) this.select(Number(/** @type {HTMLElement} */ (span).dataset.w));
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
    if (word < 0) {
      line.textContent = line.dataset.empty ?? "";
      return;
    }
    this.spans[word].classList.add("here");
    const { locale, words } = this.data;
    const { values } = this.data.views[this.current];
    const size = Math.abs(values[word]);
    const total = values.reduce((sum, value) => sum + Math.abs(value), 0) || 1;
    const rank = 1 + values.filter((value) => Math.abs(value) > size).length;
    const parts = {
      value: signed(values[word], locale, 3),
      share: new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(size / total),
      rank: String(rank),
      count: String(values.length),
    };
    const strong = document.createElement("strong");
    strong.textContent = words[word];
    const rest = (line.dataset.template ?? "").replace(/\{(\w+)\}/g, (_, /** @type {keyof parts} */ name) => parts[name]);
    line.replaceChildren(strong, " ", rest);
  }

  /** @param {number} index */
  show(index) {
    this.current = index;
    const { levels, views, locale } = this.data;
    const { values } = views[index];
    const scale = Math.max(...values.map(Math.abs), Number.MIN_VALUE);
    this.spans.forEach((span, word) => {
      const step = Math.round((levels * Math.abs(values[word])) / scale);
      span.className = step ? `w ${values[word] > 0 ? "for" : "against"}${step}` : "w";
    });
    for (const end of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[data-end]"))) {
      end.textContent = signed(end.dataset.end === "for" ? scale : -scale, locale, 2);
    }
    this.select(this.word);
    const hash = new URLSearchParams(location.hash.slice(1));
    if (index) hash.set("view", String(index));
    else hash.delete("view");
    history.replaceState(history.state, "", location.pathname + location.search + (hash.size ? `#${hash}` : ""));
    document.dispatchEvent(new CustomEvent("gallery:view", { detail: { index, values, locale } }));
  }
}
