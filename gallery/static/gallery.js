// Registers the gallery's elements. Each binds itself when it enters the page, so instant navigation needs no help.

import { GalleryAttention } from "./attention.js";
import { GalleryCompare } from "./compare.js";
import { GalleryDownloads } from "./downloads.js";
import { GalleryErasing } from "./erasing.js";
import { GalleryFilter } from "./filter.js";
import { GalleryMultiples } from "./multiples.js";
import { GalleryTable } from "./table.js";
import { GalleryWords } from "./words.js";

/** The order matters: an element may look for those before it. @type {[string, CustomElementConstructor][]} */
const elements = [
  ["gallery-attention", GalleryAttention],
  ["gallery-words", GalleryWords],
  ["gallery-table", GalleryTable],
  ["gallery-filter", GalleryFilter],
  ["gallery-downloads", GalleryDownloads],
  ["gallery-compare", GalleryCompare],
  ["gallery-multiples", GalleryMultiples],
  ["gallery-erasing", GalleryErasing],
];
for (const [name, element] of elements) if (!customElements.get(name)) customElements.define(name, element);

// The theme's search calls itself a dialog without a name.
const search = document.querySelector(".md-search[role=dialog]");
if (search) search.ariaLabel = search.querySelector("input")?.ariaLabel ?? null;
