// <gallery-multiples>: the beginning of the passage, shaded by each method, fetched when it comes into sight.
import { loadPassage } from "./passage.js";
import { largest, shade, spell } from "./shading.js";

const WORDS = 60;

export class GalleryMultiples extends HTMLElement {
  connectedCallback() {
    this.watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.draw(), { rootMargin: "300px" });
    this.watcher.observe(this);
  }

  disconnectedCallback() {
    this.watcher?.disconnect();
  }

  async draw() {
    this.watcher?.disconnect();
    const places = /** @type {HTMLElement[]} */ ([...this.querySelectorAll(".g-multiple-text")]);
    /** @type {import("./shading.js").Passage} */
    let passage;
    try {
      passage = await loadPassage(this.getAttribute("src") ?? "");
    } catch (error) {
      return this.fail(places, error);
    }
    for (const place of places) {
      const method = /** @type {HTMLElement} */ (place.closest("li")).dataset.method;
      const view = passage.views.find((one) => one.method === method && String(one.target) === this.getAttribute("target") && one.against === null);
      if (!view) continue;
      const scale = largest(view.values);
      spell(place, passage.text, WORDS).forEach((span, word) => (span.className = shade(view.values[word], scale, Number(this.getAttribute("levels")))));
      place.lastElementChild?.append("…");
    }
  }

  /** @param {HTMLElement[]} places @param {unknown} error */
  fail(places, error) {
    for (const place of places) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "g-again";
      button.textContent = this.dataset.again ?? "";
      button.addEventListener("click", () => this.draw());
      place.replaceChildren((this.dataset.failed ?? "").replace("{reason}", error instanceof Error ? error.message : String(error)), " ", button);
    }
  }
}
