// <gallery-downloads>: the shaded picture as the passage is shaded now, files that lie packed on the site, and buttons that copy.
import { pngFile, save, svgFile } from "./attention-export.js";
import { textOf } from "./packed.js";
import { largest, shade, signed } from "./shading.js";
import { GalleryWords } from "./words.js";

export class GalleryDownloads extends HTMLElement {
  connectedCallback() {
    /** @type {string[]} by view */
    this.names = JSON.parse(this.querySelector("template")?.content.textContent ?? "[]");
    for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (this.querySelectorAll("a[data-picture], a[data-numbers]"))) {
      // A page opened as a file may not read the files beside it: the link itself still works there.
      if (link.protocol === "file:") continue;
      for (const live of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[data-live]"))) live.hidden = false;
      link.onclick = (event) => {
        event.preventDefault();
        void (link.dataset.picture ? this.save(link) : this.saveNumbers(link));
      };
    }
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (this.querySelectorAll("button[data-copy]"))) {
      button.hidden = false;
      button.onclick = () => void this.copy(button);
    }
  }

  /** @param {HTMLAnchorElement} link */
  async save(link) {
    const picture = new DOMParser().parseFromString(await textOf(link.href), "image/svg+xml").documentElement;
    this.shade(picture);
    save(link.dataset.picture === "png" ? await pngFile(picture) : svgFile(picture), link.download.replace(/svgz$/, "svg"));
  }

  /** @param {HTMLAnchorElement} link */
  async saveNumbers(link) {
    const text = await textOf(link.href);
    const [content, type] = link.dataset.numbers === "csv" ? [wordTable(JSON.parse(text)), "text/csv"] : [text, "application/json"];
    save(new Blob([content], { type }), link.download.replace(/\.gz$/, ""));
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

/**
 * The table of words, the same as word_table of gallery/site/pages/numbers.py writes where the site has room for it.
 * @param {{text: string, words: string[], attributions: {method: string, class: string, words: number[]}[]}} explanation
 */
function wordTable({ text, words, attributions }) {
  // A spreadsheet would run a word that begins like a formula; the quote before it is its own sign for text.
  const cell = (/** @type {string} */ content) => (/[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content);
  const rows = [["word", "start", "end", ...attributions.map((one) => cell(`${one.method}: ${one.class}`))]];
  let [at, units] = [0, 0]; // places are counted in characters, of which JavaScript's strings hold some as two
  words.forEach((word, number) => {
    const found = text.indexOf(word, units);
    at += [...text.slice(units, found)].length;
    const end = at + [...word].length;
    const numbers = attributions.map((one) => String(Number(one.words[number].toPrecision(6))));
    rows.push([cell(/^[=+\-@\t]/.test(word) ? `'${word}` : word), String(at), String(end), ...numbers]);
    [at, units] = [end, found + word.length];
  });
  return rows.map((row) => `${row.join(",")}\n`).join("");
}
