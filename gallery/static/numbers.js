// Numbers as the page's language writes them.

const MINUS = "\u2212";

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * Return a format with a fixed number of decimals; making one anew for every number would be slow.
 * @param {string | undefined} locale the browser's own if left out @param {"decimal" | "percent"} style @param {number} digits
 */
function format(locale, style, digits) {
  const key = `${locale} ${style} ${digits}`;
  let known = formats.get(key);
  if (!known) formats.set(key, (known = new Intl.NumberFormat(locale, { style, minimumFractionDigits: digits, maximumFractionDigits: digits })));
  return known;
}

/** Write a number with its sign and a real minus. @param {number} value @param {string} locale @param {number} digits */
function signed(value, locale, digits) {
  const size = format(locale, "decimal", digits).format(Math.abs(value));
  return /[1-9]/.test(size) ? (value > 0 ? "+" : MINUS) + size : size;
}

/** Write a number of a method: with its sign where it has one. @param {number} value @param {string} locale @param {number} digits @param {boolean} signs */
export function written(value, locale, digits, signs) {
  return signs ? signed(value, locale, digits) : format(locale, "decimal", digits).format(value);
}

/** Write a share of 1 in per cent. @param {number} share @param {string | undefined} locale @param {number} digits */
export function percent(share, locale, digits) {
  return format(locale, "percent", digits).format(share);
}

/** Return how many decimals the ends of a scale need to be told from nothing. @param {number} scale */
export function decimals(scale) {
  return Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(scale))));
}
