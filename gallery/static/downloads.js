// <gallery-downloads>: the shaded picture as the passage is shaded now, and buttons that copy.
import { pngFile, save, svgFile } from "./attention-export.js";
import { largest, shade, signed } from "./shading.js";
import { GalleryWords } from "./words.js";

export class GalleryDownloads extends HTMLElement {
  connectedCallback() {
    /** @type {string[]} by view */
    this.names = JSON.parse(this.querySelector("template")?.content.textContent ?? "[]");
    for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (this.querySelectorAll("a[data-picture]"))) {
      // A page opened as a file may not read the files beside it: the link itself still works there.
      if (link.protocol === "file:") continue;
      for (const live of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[data-live]"))) live.hidden = false;
      link.onclick = (event) => {
        event.preventDefault();
        void this.save(link);
      };
    }
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (this.querySelectorAll("button[data-copy]"))) {
      button.hidden = false;
      button.onclick = () => void this.copy(button);
    }
  }

  /** @param {HTMLAnchorElement} link */
  async save(link) {
    const text = await (await fetch(link.href)).text();
    const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    this.shade(picture);
    save(link.dataset.picture === "png" ? await pngFile(picture) : svgFile(picture), link.download);
  }

  /** Shade the picture as the passage above it. @param {Element} picture */
  shade(picture) {
    const words = document.querySelector("gallery-words");
    if (!(words instanceof GalleryWords) || !words.data) return;
    const { views, levels, locale } = words.data;
    const { values } = views[words.current];
    if (!values) return;
    const scale = words.end ?? largest(values);
    for (const ground of picture.querySelectorAll("[data-w]")) {
      const [, name] = shade(values[Number(ground.getAttribute("data-w"))], scale, levels).split(" ");
      ground.setAttribute("fill", name ? `url(#${name})` : "none");
    }
    for (const end of picture.querySelectorAll("[data-end]")) {
      end.textContent = signed(end.getAttribute("data-end") === "for" ? scale : -scale, locale, 2);
    }
    const explained = picture.querySelector("[data-explained]");
    if (explained) explained.textContent = this.names?.[words.current] ?? "";
  }

  /** Copy the text before a button; where the browser does not allow it, select it. @param {HTMLButtonElement} button */
  async copy(button) {
    const text = button.previousElementSibling;
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text.textContent ?? "");
      const label = button.textContent;
      button.textContent = button.dataset.done ?? "";
      setTimeout(() => (button.textContent = label), 2000);
    } catch {
      getSelection()?.selectAllChildren(text);
    }
  }
}
