// A view as a file: SVG, PNG of the same drawing, CSV of the numbers.

import { colours, paintCells } from "./attention-ink.js";
import { nameOf } from "./attention-state.js";
import { draw } from "./dom.js";
import { asText, pngFile, save, svgFile } from "./saving.js";

/** @typedef {import("./attention-ink.js").Paint} Paint */
/** @typedef {import("./attention-selection.js").Selection} Selection */
/** @typedef {import("./attention-toolbar.js").FileKind} FileKind */
/** @typedef {import("./attention-units.js").Matrix} Matrix */

/**
 * Give the reader the view as a file.
 * @param {FileKind} kind @param {Selection} selection @param {HTMLElement} view @param {string} title of the picture
 */
export async function saveView(kind, selection, view, title) {
  const { state, weights } = selection;
  if (!weights.units.length) return;
  const name = `attention-${nameOf(state)}.${kind}`;
  if (kind === "csv") {
    save(csvFile(weights.matrix), name);
    return;
  }
  const paint = colours(view);
  const drawn = () => drawnPicture([...view.querySelectorAll("svg")], paint, title);
  const picture = state.view === "reading" ? readingPicture(view, paint, title) : state.view === "map" ? mapPicture(weights.matrix, weights.top, paint, title) : drawn();
  save(kind === "svg" ? svgFile(picture) : await pngFile(picture), name);
}

/** Make an empty picture. @param {number} width @param {number} height @param {Paint} paint */
function sheet(width, height, paint) {
  const picture = draw("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height });
  picture.append(draw("rect", { width, height, fill: paint.paper }));
  return picture;
}

/** Draw the text with the lines it has on the page, shades behind it. @param {HTMLElement} text @param {Paint} paint @param {string} title */
function readingPicture(text, paint, title) {
  const box = text.getBoundingClientRect();
  const picture = sheet(Math.ceil(box.width), Math.ceil(box.height) + 28, paint);
  const style = getComputedStyle(text);
  const font = { "font-family": style.fontFamily, "font-size": style.fontSize, fill: paint.text };
  picture.append(draw("text", { x: 4, y: 18, ...font, "font-size": 13 }, title));
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    const unit = node.parentElement?.closest(".unit");
    const strength = unit instanceof HTMLElement ? Number(unit.style.getPropertyValue("--shade") || 0) : 0;
    for (const match of node.data.matchAll(/\S+/g)) {
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const { left, top, width, height } = range.getBoundingClientRect();
      const [x, y] = [left - box.left, top - box.top + 28];
      if (unit) {
        const ground = { x, y, width, height, rx: 2 };
        picture.append(draw("rect", { ...ground, fill: `rgb(${paint.ink})`, "fill-opacity": (0.5 * strength).toFixed(3) }));
        if (unit.classList.contains("anchor")) picture.append(draw("rect", { ...ground, fill: "none", stroke: paint.text }));
      }
      picture.append(draw("text", { x, y: y + height * 0.77, textLength: width, ...font }, match[0]));
    }
  }
  return picture;
}

/** Draw the whole map, with names where there is room. @param {Matrix} matrix @param {number} top @param {Paint} paint @param {string} title */
function mapPicture(matrix, top, paint, title) {
  const count = matrix.units.length;
  const cell = Math.max(2, Math.min(16, Math.floor(1200 / count)));
  const margin = cell >= 8 ? 110 : 8;
  const picture = sheet(margin + count * cell + 8, margin + count * cell + 36, paint);
  const font = { "font-family": "sans-serif", "font-size": Math.min(12, cell), fill: paint.text };
  picture.append(draw("text", { x: 8, y: 18, ...font, "font-size": 13 }, title));
  const cells = paintCells(matrix, top, paint.ink).toDataURL("image/png");
  const side = count * cell;
  picture.append(draw("image", { href: cells, x: margin, y: margin + 28, width: side, height: side, "image-rendering": "pixelated" }));
  if (cell >= 8) {
    matrix.units.forEach((unit, i) => {
      const middle = (i + 0.5) * cell + margin;
      picture.append(draw("text", { x: margin - 4, y: middle + 28, ...font, "text-anchor": "end", "dominant-baseline": "central" }, unit.label));
      picture.append(draw("text", { transform: `translate(${middle} ${margin + 24}) rotate(-90)`, ...font, "dominant-baseline": "central" }, unit.label));
    });
  }
  return picture;
}

/** Put drawings of the page below each other, coloured without its style sheet. @param {SVGSVGElement[]} drawings @param {Paint} paint @param {string} title */
function drawnPicture(drawings, paint, title) {
  const sizes = drawings.map((drawing) => drawing.viewBox.baseVal);
  const picture = sheet(Math.max(...sizes.map((size) => size.width)) + 16, sizes.reduce((sum, size) => sum + size.height + 16, 32), paint);
  picture.append(draw("text", { x: 8, y: 18, "font-family": "sans-serif", "font-size": 13, fill: paint.text }, title));
  let y = 32;
  drawings.forEach((drawing, i) => {
    const group = draw("g", { transform: `translate(8 ${y})`, "font-family": "sans-serif", "font-size": 14, fill: paint.text });
    group.append(...[...drawing.cloneNode(true).childNodes]);
    for (const ink of group.querySelectorAll(".ink, .axis")) ink.setAttribute("stroke", `rgb(${paint.ink})`);
    for (const bar of group.querySelectorAll("rect")) bar.setAttribute("fill", `rgb(${paint.ink})`);
    picture.append(group);
    y += sizes[i].height + 16;
  });
  return picture;
}

/** Write the whole matrix: a row of names, then each unit and its weights. @param {Matrix} matrix */
function csvFile(matrix) {
  const count = matrix.units.length;
  const names = matrix.units.map((unit) => `"${asText(unit.label).replaceAll('"', '""')}"`);
  const rows = names.map((name, i) => [name, ...Array.from(matrix.values.subarray(i * count, (i + 1) * count), (weight) => weight.toFixed(6))].join(","));
  return new Blob([`\ufeff${["", ...names].join(",")}\n${rows.join("\n")}\n`], { type: "text/csv" });
}

