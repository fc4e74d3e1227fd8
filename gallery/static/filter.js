// <gallery-filter>: the cards of the index, filtered and ordered; the choice stays in the address.

export class GalleryFilter extends HTMLElement {
  connectedCallback() {
    this.form = /** @type {HTMLFormElement} */ (this.querySelector("form"));
    this.list = /** @type {HTMLElement} */ (this.querySelector(".g-cards"));
    this.cards = /** @type {HTMLElement[]} */ ([...this.list.children]);
    this.form.addEventListener("change", () => this.apply(true));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.read = () => this.fromAddress();
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
  apply(remember) {
    const wanted = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value !== "").map(([name, value]) => [name, String(value)]));
    let shown = 0;
    for (const card of this.cards) {
      const { true: author, predicted } = card.dataset;
      const verdict = author === predicted ? "right" : "wrong";
      const fits =
        (!wanted.author || wanted.author === author) &&
        (!wanted.predicted || wanted.predicted === predicted) &&
        (!wanted.verdict || wanted.verdict === verdict);
      card.hidden = !fits;
      shown += Number(fits);
    }
    const number = (/** @type {HTMLElement} */ card, /** @type {string} */ name) => Number(card.dataset[name]);
    const order = wanted.order;
    const sorted = [...this.cards];
    if (order === "sure") sorted.sort((a, b) => number(b, "confidence") - number(a, "confidence"));
    if (order === "unsure") sorted.sort((a, b) => number(a, "confidence") - number(b, "confidence"));
    if (order === "long") sorted.sort((a, b) => number(b, "words") - number(a, "words"));
    this.list.append(...sorted);
    const count = this.form.querySelector("output");
    if (count) count.textContent = (count.dataset.template ?? "").replace("{shown}", String(shown)).replace("{all}", String(this.cards.length));
    if (remember) {
      const query = new URLSearchParams(wanted).toString();
      history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
    }
  }
}
