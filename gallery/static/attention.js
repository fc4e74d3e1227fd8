// <gallery-attention src="folder/">: the picture of all heads, and the explorer that opens them once the reader comes near.

import { onReturn } from "./address.js";
import { AttentionData } from "./attention-data.js";
import { Explorer } from "./attention-explorer.js";
import { filesOf, isHeld } from "./attention-files.js";
import { Wording } from "./attention-wording.js";
import { make, only } from "./dom.js";
import { reasonOf } from "./failure.js";

// The explorer imports these. They are named here too, so that a browser asks for all at once and not wave after wave.
import "./attention-decoding.js";
import "./attention-gestures.js";
import "./attention-grid.js";
import "./attention-heatmap.js";
import "./attention-heatmap-drawing.js";
import "./attention-ink.js";
import "./attention-lines.js";
import "./attention-map.js";
import "./attention-neurons.js";
import "./attention-pager.js";
import "./attention-products.js";
import "./attention-reading.js";
import "./attention-readout.js";
import "./attention-saving.js";
import "./attention-selection.js";
import "./attention-state.js";
import "./attention-toolbar.js";
import "./attention-units.js";
import "./attention-weights.js";
import "./cache.js";

export class GalleryAttention extends HTMLElement {
  /** @type {Explorer | null} once the index of the passage has come */
  explorer = null;
  #left = new AbortController();

  connectedCallback() {
    this.#left = new AbortController();
    const { signal } = this.#left;
    if (location.protocol === "file:" && !isHeld(this.folder)) {
      this.querySelector(".unserved")?.classList.add("shown");
      return;
    }
    onReturn(() => this.explorer?.fromAddress(), signal);
    // Data are fetched when the reader comes near, not with the page.
    const near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        near.disconnect();
        void this.open();
      },
      { rootMargin: "400px" },
    );
    near.observe(this);
    signal.addEventListener("abort", () => near.disconnect());
    if (new URLSearchParams(location.search).has("attention")) {
      for (let around = this.parentElement; around; around = around.parentElement) if (around instanceof HTMLDetailsElement) around.open = true;
      this.scrollIntoView();
    }
  }

  disconnectedCallback() {
    this.#left.abort();
  }

  /** Folder of the passage's files. */
  get folder() {
    return this.getAttribute("src") ?? "";
  }

  /** Fetch the index and put the explorer into the page. */
  async open() {
    if (this.explorer) return;
    const wording = new Wording(this);
    const fail = (/** @type {string} */ reason, /** @type {() => void} */ retry) => this.#fail(wording, reason, retry);
    /** @type {AttentionData} */
    let data;
    try {
      data = await AttentionData.open(filesOf(this.folder));
    } catch (error) {
      fail(reasonOf(error), () => void this.open());
      return;
    }
    this.#say("");
    const explorer = new Explorer(data, wording, only(this, ".heads", Element), {
      busy: (busy) => {
        if (busy) this.setAttribute("aria-busy", "true");
        else this.removeAttribute("aria-busy");
        if (!busy && explorer.element.isConnected) this.dataset.ready = "";
      },
      came: () => {
        if (explorer.element.isConnected) return;
        this.querySelector(".explorer")?.remove();
        only(this, ":scope > .message", Element).after(explorer.element);
      },
      say: (message) => this.#say(message),
      fail,
    });
    this.explorer = explorer;
    const scheme = new MutationObserver(() => explorer.map.heat.recolour());
    scheme.observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
    this.#left.signal.addEventListener("abort", () => scheme.disconnect());
    await explorer.refresh();
  }

  /** Say why data could not be had, with a button that tries again. @param {Wording} wording @param {string} reason @param {() => void} retry */
  #fail(wording, reason, retry) {
    const button = make("button", { type: "button" }, wording.text("retry"));
    button.addEventListener("click", retry);
    this.#say(wording.text("failed", { reason }), " ", button);
  }

  /** Put a message between picture and explorer; an empty message is hidden. @param {string} message @param {(Node | string)[]} more */
  #say(message, ...more) {
    let line = this.querySelector(":scope > .message");
    if (!(line instanceof HTMLElement)) {
      line = make("p", { class: "message", role: "alert" });
      only(this, ":scope > .heads", Element).after(line);
    }
    line.replaceChildren(message, ...more);
    line.toggleAttribute("hidden", !message);
  }
}
