// <gallery-multiples>: the beginning of the passage, shaded by each method, fetched when it comes into sight.

import { all } from "./dom.js";
import { reasonOf, sayFailure } from "./failure.js";
import { loadPassage } from "./passage.js";
import { largest, shade, spell } from "./shading.js";

const WORDS = 60;

export class GalleryMultiples extends HTMLElement {
  /** @type {IntersectionObserver | null} */
  #watcher = null;

  connectedCallback() {
    this.#watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && void this.draw(), { rootMargin: "300px" });
    this.#watcher.observe(this);
  }

  disconnectedCallback() {
    this.#watcher?.disconnect();
  }

  async draw() {
    this.#watcher?.disconnect();
    const texts = all(this, ".g-multiple-text", HTMLElement);
    /** @type {import("./shading.js").Passage} */
    let passage;
    try {
      passage = await loadPassage(this.getAttribute("src") ?? "");
    } catch (error) {
      const reason = reasonOf(error);
      for (const text of texts) sayFailure(text, this.dataset, reason, () => void this.draw());
      return;
    }
    const levels = Number(this.getAttribute("levels"));
    for (const text of texts) {
      const method = text.closest("li")?.dataset.method;
      const view = passage.views.find((other) => other.method === method && String(other.target) === this.getAttribute("target") && other.against === null);
      if (!view) continue;
      const scale = largest(view.values);
      spell(text, passage.text, WORDS).forEach((span, word) => (span.className = shade(view.values[word], scale, levels, view.signs)));
      text.lastElementChild?.append("…");
    }
  }
}
