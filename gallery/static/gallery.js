// The gallery's elements. Each binds itself when it enters the page, so instant navigation needs no help.
import "./attention.js";
import { GalleryDownloads } from "./downloads.js";
import { GalleryWords } from "./words.js";
import { GalleryTable } from "./table.js";
import { GalleryCompare } from "./compare.js";
import { GalleryMultiples } from "./multiples.js";
import { GalleryFilter } from "./filter.js";

for (const [name, element] of /** @type {[string, CustomElementConstructor][]} */ ([
  ["gallery-words", GalleryWords],
  ["gallery-table", GalleryTable],
  ["gallery-filter", GalleryFilter],
  ["gallery-downloads", GalleryDownloads],
  ["gallery-compare", GalleryCompare],
  ["gallery-multiples", GalleryMultiples],
])) {
  if (!customElements.get(name)) customElements.define(name, element);
}

// The theme's search calls itself a dialog without a name.
const search = document.querySelector(".md-search[role=dialog]");
if (search) search.ariaLabel = search.querySelector("input")?.ariaLabel ?? null;
