// What is open, as one parameter of the address, so that a link opens the same head and word.

/** @typedef {import("./attention-data.js").Index} Index */

/**
 * @typedef {object} State
 * @property {"head" | "layer" | "all" | "rollout"} source
 * @property {[number, number][]} heads layer and head, the last one being current
 * @property {boolean} by whether what attends to a word is shown, not what it attends to
 * @property {boolean} words
 * @property {"shown" | "hidden" | "muted"} special
 * @property {"reading" | "map" | "lines" | "neurons"} view
 * @property {number | null} word token that is held
 * @property {number | null} to token it is held against
 * @property {string} sort of the grid
 * @property {number | null} absent layer that was asked for and is not in this site
 */

/** @param {string[]} known @param {string | undefined} value @param {string} otherwise */
function oneOf(known, value, otherwise) {
  return value !== undefined && known.includes(value) ? value : otherwise;
}

/**
 * @param {string} search of the address @param {Index} [index] what there is to open
 * @returns {State}
 */
export function readState(search, index) {
  /** @type {Record<string, string>} */
  const said = {};
  for (const part of (new URLSearchParams(search).get("attention") ?? "").split("_")) {
    const [name, ...value] = part.split("-");
    said[name] = value.join("-");
  }
  const asked = (said.head ?? "")
    .split(",")
    .map((pair) => /** @type {[number, number]} */ (pair.split(".").map((number) => Number(number) - 1)))
    .filter(([layer, head]) => Number.isInteger(layer) && Number.isInteger(head) && layer >= 0 && head >= 0)
    .filter(([layer, head]) => !index || (layer < index.layers && head < index.heads));
  const heads = asked.filter(([layer]) => !index || index.files[layer]);
  const token = (/** @type {string | undefined} */ value) => {
    const number = value === undefined || value === "" ? -1 : Number(value);
    return Number.isInteger(number) && number >= 0 && (!index || number < index.tokens.length) ? number : null;
  };
  const first = index ? index.files.findIndex(Boolean) : 0; // the first layer that is in this site
  const sources = [...(first < 0 ? [] : ["head", "layer"]), ...(index?.mean === null ? [] : ["all"]), ...(index?.rollout === null ? [] : ["rollout"])];
  return {
    source: /** @type {State["source"]} */ (oneOf(sources, said.of ?? (heads.length ? "head" : undefined), sources.includes("all") ? "all" : "head")),
    heads: heads.length ? heads : [[Math.max(0, first), 0]],
    by: said.see === "by",
    words: said.unit !== "tokens",
    special: /** @type {State["special"]} */ (oneOf(["shown", "hidden", "muted"], said.special, "muted")),
    view: /** @type {State["view"]} */ (oneOf(["reading", "map", "lines", "neurons"], said.view, "reading")),
    word: token(said.word),
    to: token(said.to),
    sort: oneOf(["model", ...(index?.summary_names ?? [])], said.sort, "model"),
    absent: asked.length > heads.length ? (asked.find((pair) => !heads.includes(pair)) ?? [null])[0] : null,
  };
}

/** @param {State} state @param {string} address @returns {string} the address with the state in it */
export function writeState(state, address) {
  const parts = [
    `of-${state.source}`,
    state.source === "head" || state.source === "layer" ? `head-${state.heads.map(([layer, head]) => `${layer + 1}.${head + 1}`).join(",")}` : "",
    state.word === null ? "" : `word-${state.word}`,
    state.to === null ? "" : `to-${state.to}`,
    state.by ? "see-by" : "",
    state.words ? "" : "unit-tokens",
    state.special === "muted" ? "" : `special-${state.special}`,
    state.view === "reading" ? "" : `view-${state.view}`,
    state.sort === "model" ? "" : `sort-${state.sort}`,
  ];
  const url = new URL(address);
  url.searchParams.set("attention", parts.filter(Boolean).join("_"));
  return url.href.replaceAll("%2C", ",");
}
