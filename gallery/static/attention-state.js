// What the reader has chosen, as one parameter of the address, so that a link opens the same head and word.

/** @typedef {import("./attention-decoding.js").Index} Index */
/** @typedef {[number, number]} Head layer and head */

/**
 * @typedef {object} State
 * @property {"head" | "layer" | "norms" | "all" | "rollout"} source of the weights: chosen heads, a layer's mean or norms, the mean of all, or rollout
 * @property {Head[]} heads the last one being current
 * @property {boolean} by whether the page shows what attends to a word, not what it attends to
 * @property {boolean} words whether units are words, not tokens
 * @property {"muted" | "shown" | "hidden"} special tokens
 * @property {"reading" | "map" | "lines" | "neurons"} view
 * @property {number | null} word token that is held
 * @property {number | null} to token it is held against
 * @property {string} sort order of the grid
 * @property {number | null} absent layer that was asked for and is not in this site
 */

export const SPECIALS = /** @type {const} */ (["muted", "shown", "hidden"]);
export const VIEWS = /** @type {const} */ (["reading", "map", "lines", "neurons"]);

/**
 * Return the known value that a text names, or another.
 * @template {string} T @param {readonly T[]} known @param {string | undefined} value @param {T} otherwise @returns {T}
 */
function oneOf(known, value, otherwise) {
  return known.find((name) => name === value) ?? otherwise;
}

/** Return the sources that this site carries. @param {Index} index @returns {State["source"][]} */
export function sourcesOf(index) {
  return [...(index.files.some(Boolean) ? /** @type {const} */ (["head", "layer"]) : []), ...(index.norms ? /** @type {const} */ (["norms"]) : []), ...(index.mean ? /** @type {const} */ (["all"]) : []), ...(index.rollout ? /** @type {const} */ (["rollout"]) : [])];
}

/** Read the state from an address; what it leaves open, or what is not there, has its default. @param {string} search @param {Index} index @returns {State} */
export function readState(search, index) {
  /** @type {Record<string, string>} */
  const said = {};
  for (const part of (new URLSearchParams(search).get("attention") ?? "").split("_")) {
    const [name, ...value] = part.split("-");
    said[name] = value.join("-");
  }
  const asked = (said.head ?? "")
    .split(",")
    .map((pair) => /** @type {Head} */ (pair.split(".").map((number) => Number(number) - 1)))
    .filter(([layer, head]) => Number.isInteger(layer) && Number.isInteger(head) && layer >= 0 && head >= 0)
    .filter(([layer, head]) => layer < index.layers && head < index.heads);
  const heads = asked.filter(([layer]) => index.files[layer]);
  const token = (/** @type {string | undefined} */ value) => {
    const number = value === undefined || value === "" ? -1 : Number(value);
    return Number.isInteger(number) && number >= 0 && number < index.tokens.length ? number : null;
  };
  const sources = sourcesOf(index);
  return {
    source: oneOf(sources, said.of ?? (heads.length ? "head" : undefined), sources.includes("all") ? "all" : "head"),
    heads: heads.length ? heads : [[Math.max(0, index.files.findIndex(Boolean)), 0]],
    by: said.see === "by",
    words: said.unit !== "tokens",
    special: oneOf(SPECIALS, said.special, "muted"),
    view: oneOf(VIEWS, said.view, "reading"),
    word: token(said.word),
    to: token(said.to),
    sort: oneOf(["model", ...index.summary_names], said.sort, "model"),
    absent: asked.length > heads.length ? (asked.find((pair) => !heads.includes(pair)) ?? [null])[0] : null,
  };
}

/** Return an address with the state in it. @param {State} state @param {string} address */
export function writeState(state, address) {
  const url = new URL(address);
  url.searchParams.set("attention", nameOf(state));
  return url.href.replaceAll("%2C", ",");
}

/** Return the state as the address names it. @param {State} state */
export function nameOf(state) {
  const parts = [
    `of-${state.source}`,
    state.source === "head" || state.source === "layer" || state.source === "norms" ? `head-${state.heads.map(([layer, head]) => `${layer + 1}.${head + 1}`).join(",")}` : "",
    state.word === null ? "" : `word-${state.word}`,
    state.to === null ? "" : `to-${state.to}`,
    state.by ? "see-by" : "",
    state.words ? "" : "unit-tokens",
    state.special === "muted" ? "" : `special-${state.special}`,
    state.view === "reading" ? "" : `view-${state.view}`,
    state.sort === "model" ? "" : `sort-${state.sort}`,
  ];
  return parts.filter(Boolean).join("_");
}

/** Return the current head. @param {State} state */
export function currentHead(state) {
  return state.heads[state.heads.length - 1];
}

/** Return the heads whose mean is shown; null where the weights are stored. @param {State} state @param {Index} index @returns {Head[] | null} */
export function shownHeads(state, index) {
  if (state.source === "all" || state.source === "rollout" || state.source === "norms") return null;
  if (state.source === "head") return state.heads;
  const [layer] = currentHead(state);
  return Array.from({ length: index.heads }, (_, head) => [layer, head]);
}

/**
 * Return the change that choosing a head makes; null where this site does not carry its layer.
 * @param {State} state @param {Index} index @param {Head} chosen @param {boolean} add to the chosen heads, or take from them
 * @returns {Partial<State> | null}
 */
export function chooseHead(state, index, chosen, add) {
  const [layer, head] = chosen;
  if (!index.files[layer]) return null;
  if (!add || state.source !== "head") return { heads: [chosen], source: "head" };
  const others = state.heads.filter((other) => other[0] !== layer || other[1] !== head);
  const taken = others.length < state.heads.length && others.length > 0;
  return { heads: taken ? others : [...others, chosen], source: "head" };
}

/**
 * Return the change that a step makes to the next layer that this site carries, or to the next head; null where it carries none.
 * @param {State} state @param {Index} index @param {number} layers @param {number} heads @returns {Partial<State> | null}
 */
export function step(state, index, layers, heads) {
  if (!index.files.some(Boolean)) return null;
  const [layer, head] = currentHead(state);
  const next = /** @type {Head} */ ([layer, (head + heads + index.heads) % index.heads]);
  if (layers) do next[0] = (next[0] + layers + index.layers) % index.layers;
  while (!index.files[next[0]]);
  return { heads: [next], source: (state.source === "layer" || state.source === "norms") && !heads ? state.source : "head" };
}
