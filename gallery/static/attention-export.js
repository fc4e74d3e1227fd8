// What is seen, as a file: SVG, PNG of the same drawing, CSV of the numbers.

import { drawCells } from "./attention-heatmap.js";
import { draw } from "./attention-reading.js";

/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {{ ink: [number, number, number], text: string, line: string, paper: string, font: string }} Paint */

/** @param {number} width @param {number} height @param {Paint} paint */
function sheet(width, height, paint) {
  const picture = draw("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height });
  picture.append(draw("rect", { width, height, fill: paint.paper }));
  return picture;
}

/** The text as it stands on the page, shades behind it. @param {HTMLElement} place @param {Paint} paint @param {string} title */
export function readingPicture(place, paint, title) {
  const box = place.getBoundingClientRect();
  const picture = sheet(Math.ceil(box.width), Math.ceil(box.height) + 28, paint);
  const style = getComputedStyle(place);
  const font = { "font-family": style.fontFamily, "font-size": style.fontSize, fill: paint.text };
  picture.append(draw("text", { x: 4, y: 18, ...font, "font-size": 13 }, title));
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    const unit = node.parentElement?.closest(".unit");
    const strength = unit instanceof HTMLElement ? Number(unit.style.getPropertyValue("--shade") || 0) : 0;
    for (const match of node.data.matchAll(/\S+/g)) {
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const spot = range.getBoundingClientRect();
      const [x, y] = [spot.left - box.left, spot.top - box.top + 28];
      if (unit) {
        picture.append(draw("rect", { x, y, width: spot.width, height: spot.height, rx: 2, fill: `rgb(${paint.ink})`, "fill-opacity": (0.5 * strength).toFixed(3) }));
        if (unit.classList.contains("source")) {
          picture.append(draw("rect", { x, y, width: spot.width, height: spot.height, rx: 2, fill: "none", stroke: paint.text }));
        }
      }
      picture.append(draw("text", { x, y: y + spot.height * 0.77, textLength: spot.width, ...font }, match[0]));
    }
  }
  return picture;
}

/** @param {Matrix} matrix @param {number} top @param {Paint} paint @param {string} title */
export function mapPicture(matrix, top, paint, title) {
  const count = matrix.units.length;
  const cell = Math.max(2, Math.min(16, Math.floor(1200 / count)));
  const margin = cell >= 8 ? 110 : 8;
  const picture = sheet(margin + count * cell + 8, margin + count * cell + 36, paint);
  const font = { "font-family": "sans-serif", "font-size": Math.min(12, cell), fill: paint.text };
  picture.append(draw("text", { x: 8, y: 18, ...font, "font-size": 13 }, title));
  const cells = drawCells(matrix, top, paint.ink).toDataURL("image/png");
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

/** A drawing of the page, made to stand alone. @param {SVGSVGElement[]} drawings @param {Paint} paint @param {string} title */
export function drawnPicture(drawings, paint, title) {
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

/** @param {Element} picture */
export function svgFile(picture) {
  return new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" });
}

/** @param {Element} picture @returns {Promise<Blob>} twice as fine as the screen's pixels */
export async function pngFile(picture) {
  const address = URL.createObjectURL(svgFile(picture));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.naturalWidth;
    canvas.height = 2 * image.naturalHeight;
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("toBlob")))));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The whole matrix: a row of names, then each unit and its weights. @param {Matrix} matrix */
export function csvFile(matrix) {
  const count = matrix.units.length;
  // A spreadsheet takes a cell that begins with = + - @ for a formula.
  const quoted = (/** @type {string} */ label) => `"${(/^[=+\-@]/.test(label) ? `'${label}` : label).replaceAll('"', '""')}"`;
  const names = matrix.units.map((unit) => quoted(unit.label));
  const rows = names.map((name, i) => [name, ...Array.from(matrix.values.subarray(i * count, (i + 1) * count), (weight) => weight.toFixed(6))].join(","));
  return new Blob([`\ufeff${["", ...names].join(",")}\n${rows.join("\n")}\n`], { type: "text/csv" });
}

/** @param {Blob} file @param {string} name */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

