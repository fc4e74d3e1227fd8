// <gallery-downloads>: the shaded picture as the passage is shaded now, files that lie packed on the site, and buttons that copy.

import { all, carried } from "./dom.js";
import { fetchText, parsed } from "./fetching.js";
import { written } from "./numbers.js";
import { asText, pngFile, save, svgFile } from "./saving.js";
import { className, largest, shade } from "./shading.js";
import { GalleryWords } from "./words.js";

/** @typedef {Pick<import("./passage.js").Explanation, "text" | "words" | "attributions">} Explained */

export class GalleryDownloads extends HTMLElement {
  /** @type {string[]} by view, what it explains and by which method */
  #names = [];

  connectedCallback() {
    this.#names = /** @type {string[]} */ (carried(this) ?? []);
    for (const link of all(this, "a[data-picture], a[data-numbers]", HTMLAnchorElement)) {
      // A page opened as a file may not read the files beside it: the link itself still works there.
      if (link.protocol === "file:") continue;
      for (const live of all(this, "[data-live]", HTMLElement)) live.hidden = false;
      link.onclick = (event) => {
        event.preventDefault();
        void (link.dataset.picture ? this.#savePicture(link) : this.#saveNumbers(link));
      };
    }
    for (const button of all(this, "button[data-copy]", HTMLButtonElement)) {
      button.hidden = false;
      button.onclick = () => void copy(button);
    }
  }

  /** @param {HTMLAnchorElement} link */
  async #savePicture(link) {
    const picture = new DOMParser().parseFromString(await fetchText(link.href), "image/svg+xml").documentElement;
    this.#shade(picture);
    save(link.dataset.picture === "png" ? await pngFile(picture) : svgFile(picture), link.download.replace(/svgz$/, "svg"));
  }

  /** @param {HTMLAnchorElement} link */
  async #saveNumbers(link) {
    const text = await fetchText(link.href);
    const csv = link.dataset.numbers === "csv";
    const content = csv ? wordTable(/** @type {Explained} */ (parsed(text))) : text;
    save(new Blob([content], { type: csv ? "text/csv" : "application/json" }), link.download.replace(/\.gz$/, ""));
  }

  /** Shade the picture as the passage above it. @param {Element} picture */
  #shade(picture) {
    const words = document.querySelector("gallery-words");
    if (!(words instanceof GalleryWords) || !words.data.views.length) return;
    const { views, classes, levels, locale } = words.data;
    const { values } = views[words.current];
    if (!values) return;
    const signs = words.signs;
    const scale = words.end ?? largest(values);
    for (const ground of picture.querySelectorAll("[data-w]")) {
      const [, name] = shade(values[Number(ground.getAttribute("data-w"))], scale, levels, signs).split(" ");
      ground.setAttribute("fill", name ? `url(#${name})` : "none");
    }
    for (const end of picture.querySelectorAll("[data-end]")) {
      end.textContent = end.getAttribute("data-end") === "for" ? written(scale, locale, 2, signs) : signs ? written(-scale, locale, 2, true) : "0";
    }
    for (const sample of picture.querySelectorAll("[data-step]")) sample.setAttribute("fill", `url(#${signs ? "for" : "ink"}${sample.getAttribute("data-step")})`);
    for (const sample of picture.querySelectorAll("[data-against]")) sample.setAttribute("visibility", signs ? "visible" : "hidden");
    const legend = picture.querySelector("[data-legend]");
    const labels = classes[className(views[words.current])];
    if (legend) legend.textContent = signs ? `${labels.speaks_against} / ${labels.speaks_for}` : "";
    const explained = picture.querySelector("[data-explained]");
    if (explained) explained.textContent = this.#names[words.current] ?? "";
  }
}

/** Copy the text before a button; where the browser does not allow it, select it. @param {HTMLButtonElement} button */
async function copy(button) {
  const text = button.previousElementSibling;
  if (!text) return;
  const allowed = await navigator.clipboard?.writeText(text.textContent ?? "").then(
    () => true,
    () => false,
  );
  if (!allowed) {
    getSelection()?.selectAllChildren(text);
    return;
  }
  const label = button.textContent;
  button.textContent = button.dataset.done ?? "";
  setTimeout(() => (button.textContent = label), 2000);
}

/** Return the table of words that word_table of gallery/site/pages/numbers.py writes where the site has room for it. @param {Explained} explained */
function wordTable({ text, words, attributions }) {
  const cell = (/** @type {string} */ content) => (/[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content);
  const rows = [["word", "start", "end", ...attributions.map((attribution) => cell(`${attribution.method}: ${attribution.class}`))]];
  let [character, unit] = [0, 0]; // offsets count characters, of which JavaScript's strings hold some as two units
  words.forEach((word, number) => {
    const first = text.indexOf(word, unit);
    const start = character + [...text.slice(unit, first)].length;
    const end = start + [...word].length;
    const numbers = attributions.map((attribution) => String(Number(attribution.words[number].toPrecision(6))));
    rows.push([cell(asText(word)), String(start), String(end), ...numbers]);
    [character, unit] = [end, first + word.length];
  });
  return rows.map((row) => `${row.join(",")}\n`).join("");
}
