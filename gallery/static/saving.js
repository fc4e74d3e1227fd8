// Files that a page makes for its reader to keep.

/** Return an SVG as a file. @param {Element} picture */
export function svgFile(picture) {
  return new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" });
}

/** Return an SVG as a PNG, twice as fine as the screen's pixels. @param {Element} picture @returns {Promise<Blob>} */
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

/** Return a word as a spreadsheet takes it for text: with = + - @ at its beginning it would run as a formula. @param {string} word */
export function asText(word) {
  return /^[=+\-@\t]/.test(word) ? `'${word}` : word;
}

/** Give the reader a file. @param {Blob} file @param {string} name */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
