// <gallery-attention src="folder/">: every head of a passage, as a grid, a map, a lit-up text, lines and neurons.

import { AttentionData, FetchError, HELD, held, served } from "./attention-data.js";
import { csvFile, drawnPicture, mapPicture, pngFile, readingPicture, save, svgFile } from "./attention-export.js";
import { HeadGrid, leaning } from "./attention-grid.js";
import { HeatMap, colours } from "./attention-heatmap.js";
import { drawBars, neuronsOf } from "./attention-neurons.js";
import { LINES, Passage, drawLines, make } from "./attention-reading.js";
import { readState, writeState } from "./attention-state.js";
import { between, gather, largest, profile, strongest, unitsOf } from "./attention-units.js";

/** @typedef {import("./attention-heatmap.js").Pair} Pair */
/** @typedef {import("./attention-state.js").State} State */
/** @typedef {import("./attention-units.js").Matrix} Matrix */
/** @typedef {import("./attention-units.js").Unit} Unit */
/** @typedef {import("./attention-data.js").Stretch} Stretch */

const VIEWS = /** @type {const} */ (["reading", "map", "lines", "neurons"]);
const PAIRS = 20;

/** Tokens of a long passage that go into its matrix at once. */
const PART = 640;

export class GalleryAttention extends HTMLElement {
  /** @type {AttentionData | null} */
  data = null;
  /** @type {Matrix | null} of all units, or of those around `about` where the passage is too long */
  matrix = null;
  /** @type {Unit[]} all units that are shown */
  units = [];
  /** First unit of the matrix. */
  start = 0;
  /** @type {Stretch | null} the heads of a passage that is too long for one matrix */
  stretch = null;
  /** @type {Float32Array | null} by token, what hidden special tokens leave, for such a passage */
  kept = null;
  /** @type {number | null} unit that the matrix of such a passage stands around */
  about = null;
  /** @type {Record<string, string>} */
  strings = {};
  /** @type {State} */
  state = readState(location.search);
  /** @type {number | null} unit under the pointer or in focus */
  over = null;
  /** @type {number | null} unit that was, while nothing is */
  last = null;
  /** @type {Pair | null} pair under the pointer in the map */
  pair = null;
  /** @type {AbortController | null} */
  listening = null;
  #turn = 0;
  #written = "";

  connectedCallback() {
    const strings = this.querySelector("template")?.content.textContent;
    this.strings = strings ? JSON.parse(strings) : {};
    this.listening = new AbortController();
    const { signal } = this.listening;
    if (location.protocol === "file:" && !this.getAttribute("src")?.startsWith(HELD)) {
      this.querySelector(".unserved")?.classList.add("shown");
      return;
    }
    window.addEventListener("popstate", () => this.#fromAddress(), { signal });
    // Data are fetched when the reader comes near, not with the page.
    const near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        near.disconnect();
        void this.open();
      },
      { rootMargin: "400px" },
    );
    near.observe(this);
    signal.addEventListener("abort", () => near.disconnect());
    if (new URLSearchParams(location.search).has("attention")) {
      for (let at = this.parentElement; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
      this.scrollIntoView();
    }
  }

  disconnectedCallback() {
    this.listening?.abort();
  }

  /** A string of the page's language. @param {string} key @param {Record<string, string | number>} [values] */
  text(key, values = {}) {
    return (this.strings[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  }

  /** @param {number} share */
  percent(share) {
    const digits = share >= 0.1 || share === 0 ? 0 : share >= 0.01 ? 1 : 2;
    const format = { style: /** @type {const} */ ("percent"), minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.closest("[lang]")?.getAttribute("lang") ?? undefined, format).format(share);
  }

  /** Where the data come from: the folder that `src` names, on the server or in the page. */
  source() {
    const folder = this.getAttribute("src") ?? "";
    return folder.startsWith(HELD) ? held(folder) : served(folder);
  }

  /** Fetches the index and puts the controls in place. */
  async open() {
    if (this.data) return;
    try {
      this.data = await AttentionData.open(this.source());
    } catch (error) {
      this.#fail(error, () => this.open());
      return;
    }
    this.#say("");
    const { index } = this.data;
    this.state = readState(location.search, index);
    this.#build();
    await this.refresh();
    this.dataset.ready = "";
  }

  /** Puts a message in place of what is missing. @param {string} message @param {() => void} [again] */
  #say(message, again) {
    let place = /** @type {HTMLElement | null} */ (this.querySelector(":scope > .message"));
    if (!place) {
      place = make("p", { class: "message", role: "alert" });
      (this.querySelector(":scope > .heads") ?? this).after(place);
    }
    place.replaceChildren(message);
    place.hidden = !message;
    if (again) {
      const button = make("button", { type: "button" }, this.text("retry"));
      button.addEventListener("click", again);
      place.append(" ", button);
    }
  }

  /** @param {unknown} error @param {() => void} again */
  #fail(error, again) {
    if (!(error instanceof FetchError)) throw error;
    this.#say(this.text("failed", { reason: error.message }), again);
  }

  /** @param {string} name @param {string[]} options @param {(value: string) => void} chosen @param {boolean} [segments] */
  #choice(name, options, chosen, segments = true) {
    const group = make("fieldset", { class: segments ? "choice" : "choice loose" }, make("legend", {}, this.text(name)));
    for (const option of options) {
      const input = make("input", { type: "radio", name: `attention-${name}`, value: option });
      input.addEventListener("change", () => chosen(option));
      group.append(make("label", {}, input, make("span", {}, this.text(`${name}_${option}`))));
    }
    return group;
  }

  #build() {
    const data = /** @type {AttentionData} */ (this.data);
    const { index } = data;
    const figure = /** @type {HTMLElement} */ (this.querySelector(".heads"));
    this.grid = new HeadGrid(figure, index, {
      text: (key, values) => this.text(key, values),
      percent: (share) => this.percent(share),
      open: (layer, head, add) => this.#chooseHead(layer, head, add),
      sort: (by) => this.#set({ sort: by }),
    });
    const sources = [...(index.files.some(Boolean) ? ["head", "layer"] : []), ...(index.mean ? ["all"] : []), ...(index.rollout ? ["rollout"] : [])];
    this.sourceLine = make("p", { class: "sourceline", "aria-live": "polite" });
    const step = (/** @type {string} */ key, /** @type {string} */ sign, /** @type {() => void} */ act) => {
      const button = make("button", { type: "button", title: this.text(key), "aria-label": this.text(key) }, sign);
      button.addEventListener("click", act);
      return button;
    };
    this.controls = make(
      "div",
      { class: "controls" },
      this.#choice("source", sources, (value) => this.#set({ source: /** @type {State["source"]} */ (value) })),
      make(
        "span",
        { class: "steps" },
        step("layer_up", "↑", () => this.#step(-1, 0)),
        step("layer_down", "↓", () => this.#step(1, 0)),
        step("head_left", "←", () => this.#step(0, -1)),
        step("head_right", "→", () => this.#step(0, 1)),
      ),
      this.#choice("direction", ["to", "by"], (value) => this.#set({ by: value === "by" })),
      this.#choice("unit", ["words", "tokens"], (value) => this.#set({ words: value === "words" })),
      this.#choice("special", ["muted", "shown", "hidden"], (value) => this.#set({ special: /** @type {State["special"]} */ (value) })),
    );
    const saving = make("span", { class: "saving" }, make("span", {}, this.text("save")));
    for (const kind of ["SVG", "PNG", "CSV"]) {
      const button = make("button", { type: "button", "data-save": kind.toLowerCase() }, kind);
      button.addEventListener("click", () => void this.#save(kind.toLowerCase()));
      saving.append(" ", button);
    }
    this.tabs = this.#choice("view", [...VIEWS], (value) => this.#set({ view: /** @type {State["view"]} */ (value) }));
    this.tabs.classList.add("tabs");
    this.readout = make("p", { class: "readout", "aria-live": "polite" });
    this.legend = make("p", { class: "legend" });
    const place = make("div", { class: "passage" });
    this.passage = new Passage(place, { point: (unit) => this.#point(unit), pin: (unit) => this.#pin(unit) });
    const canvas = make("canvas", { class: "map", tabindex: "0", role: "img", "aria-label": this.text("map_label") });
    this.map = new HeatMap(canvas, {
      point: (pair) => {
        this.pair = pair && this.#moved(pair);
        this.map?.mark(pair ?? this.#marked());
        this.#read();
      },
      pin: (pair) => this.#pinPair(this.#moved(pair)),
    });
    const zooms = make(
      "span",
      { class: "steps zooms" },
      step("zoom_in", "+", () => this.map?.zoom(1.6)),
      step("zoom_out", "−", () => this.map?.zoom(1 / 1.6)),
      step("zoom_whole", "⤢", () => this.map?.whole()),
    );
    this.mapPart = make("div", { class: "mappart" });
    this.pairs = make("table", { class: "pairs" });
    this.linesPlace = make("div", { class: "linesplace" });
    this.neurons = make("div", { class: "neurons" });
    this.stage = make(
      "div",
      { class: "stage" },
      make("div", { class: "view", "data-view": "reading" }, place),
      make("div", { class: "view", "data-view": "map" }, make("div", { class: "mapplace" }, this.mapPart, canvas, zooms), make("div", { class: "pairsplace" }, this.pairs)),
      make("div", { class: "view", "data-view": "lines" }, this.linesPlace),
      make("div", { class: "view", "data-view": "neurons" }, this.neurons),
    );
    this.explorer = make(
      "div",
      { class: "explorer" },
      this.controls,
      this.sourceLine,
      make("div", { class: "viewbar" }, this.tabs, saving),
      this.stage,
      make("div", { class: "foot" }, this.readout, this.legend),
      make("p", { class: "keys" }, this.text("keys")),
    );
    this.querySelector(".explorer")?.remove();
    (this.querySelector(":scope > .message") ?? figure).after(this.explorer);
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    for (const view of [this.linesPlace, this.neurons]) view.addEventListener("click", (event) => this.#click(event));
    this.linesPlace.addEventListener("pointerover", (event) => this.#pointLine(event));
    this.linesPlace.addEventListener("pointerleave", () => this.#pointLine(null));
    const scheme = new MutationObserver(() => this.map?.recolour());
    scheme.observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
    this.listening?.signal.addEventListener("abort", () => scheme.disconnect());
  }

  #fromAddress() {
    if (!this.data) return;
    this.state = readState(location.search, this.data.index);
    void this.refresh();
  }

  /** @param {Partial<State>} change */
  #set(change) {
    Object.assign(this.state, { absent: null }, change);
    history.replaceState(history.state, "", writeState(this.state, location.href));
    void this.refresh();
  }

  /** @param {number} layer @param {number} head @param {boolean} add */
  #chooseHead(layer, head, add) {
    const { heads, source } = this.state;
    if (!this.data?.index.files[layer]) {
      this.#set({ absent: layer });
      return;
    }
    const others = heads.filter(([l, h]) => l !== layer || h !== head);
    const chosen = add && source === "head" ? (others.length < heads.length && others.length ? others : [...heads, /** @type {[number, number]} */ ([layer, head])]) : [/** @type {[number, number]} */ ([layer, head])];
    this.#set({ heads: chosen, source: "head" });
  }

  /** @param {number} layers @param {number} heads */
  #step(layers, heads) {
    const { index } = /** @type {AttentionData} */ (this.data);
    if (!index.files.some(Boolean)) return;
    const [layer, head] = this.state.heads[this.state.heads.length - 1];
    const next = /** @type {[number, number]} */ ([layer, (head + heads + index.heads) % index.heads]);
    if (layers) do next[0] = (next[0] + layers + index.layers) % index.layers;
    while (!index.files[next[0]]);
    this.#set({ heads: [next], source: this.state.source === "layer" && !heads ? "layer" : "head" });
  }

  /** Heads whose mean is shown; null when a stored matrix is. @returns {[number, number][] | null} */
  #shownHeads() {
    const { source, heads } = this.state;
    const { index } = /** @type {AttentionData} */ (this.data);
    if (source === "all" || source === "rollout") return null;
    if (source === "head") return heads;
    const layer = heads[heads.length - 1][0];
    return Array.from({ length: index.heads }, (_, head) => [layer, head]);
  }

  /** Fetches what the state asks for and shows it. */
  async refresh() {
    const data = /** @type {AttentionData} */ (this.data);
    const { state } = this;
    const turn = ++this.#turn;
    this.setAttribute("aria-busy", "true");
    try {
      const heads = this.#shownHeads();
      const stretch = heads && !data.whole ? await data.stretch(heads) : null;
      const weights = stretch ? null : heads ? await data.mean(heads) : await data.stored(state.source === "rollout" ? "rollout" : "mean");
      if (turn !== this.#turn) return;
      this.#say(state.absent === null ? "" : `${this.text("absent", { layer: state.absent + 1 })} ${this.text("left_out")}`);
      const all = unitsOf(data.index, state.words);
      this.units = state.special === "hidden" ? all.filter((unit) => !unit.special) : all;
      this.stretch = stretch;
      if (weights) this.matrix = between(weights, data.tokens, all, state.special);
      if (stretch) this.matrix = this.#part(stretch);
      this.top = this.matrix ? largest(this.matrix.units, state.special === "muted", this.matrix.values) : 0;
      this.#show();
    } catch (error) {
      if (turn === this.#turn) this.#fail(error, () => void this.refresh());
    } finally {
      if (turn === this.#turn) this.removeAttribute("aria-busy");
    }
  }

  /** The weights between those units of a long passage that stand around the one held or looked for. @param {Stretch} stretch */
  #part(stretch) {
    const { units, state } = this;
    const { index, tokens } = /** @type {AttentionData} */ (this.data);
    const held = this.#unitOf(state.word);
    const middle = units[this.about ?? Math.max(0, held)]?.first ?? 0;
    const from = Math.max(0, Math.min(middle - PART / 2, tokens - PART));
    const chosen = units.filter((unit) => unit.first >= from && unit.last <= from + PART);
    this.start = units.indexOf(chosen[0]);
    const [first, last] = [chosen[0].first, chosen[chosen.length - 1].last];
    this.kept = null;
    if (state.special === "hidden") {
      this.kept = new Float32Array(tokens).fill(1);
      for (const [token] of index.special.entries()) {
        if (index.special[token]) stretch.block(0, tokens, token, token + 1).forEach((weight, row) => (/** @type {Float32Array} */ (this.kept)[row] -= weight));
      }
    }
    const moved = chosen.map((unit) => ({ ...unit, first: unit.first - first, last: unit.last - first }));
    return between(stretch.block(first, last, first, last), last - first, moved, state.special, this.kept?.subarray(first, last));
  }

  /** What a unit attends to, or what attends to it, among all units. @param {number} unit @param {boolean} by */
  #profile(unit, by) {
    const { stretch, units, matrix } = this;
    if (!stretch) return profile(/** @type {Matrix} */ (matrix), unit, by);
    const { first, last } = units[unit];
    return gather(stretch.profile(first, last, by), units, by, this.kept, units[unit]);
  }

  /** Number of the unit that a token belongs to, -1 if none. @param {number | null} token */
  #unitOf(token) {
    return token === null ? -1 : this.units.findIndex((unit) => unit.first <= token && token < unit.last);
  }

  /** A pair of the matrix as a pair of all units, or the other way round with -1. @param {Pair} pair @param {number} [way] */
  #moved(pair, way = 1) {
    return { from: pair.from + way * this.start, to: pair.to + way * this.start };
  }

  /** The pair that is held, within the matrix; null if it is not all there. */
  #marked() {
    const pair = this.#pinnedPair();
    const inside = pair && this.#moved(pair, -1);
    const count = this.matrix?.units.length ?? 0;
    return inside && Math.min(inside.from, inside.to) >= 0 && Math.max(inside.from, inside.to) < count ? inside : null;
  }

  #show() {
    const { state, matrix } = this;
    const data = /** @type {AttentionData} */ (this.data);
    if (!matrix || !this.controls || !this.tabs || !this.sourceLine) return;
    const checked = { source: state.source, direction: state.by ? "by" : "to", unit: state.words ? "words" : "tokens", special: state.special, view: state.view };
    for (const [name, value] of Object.entries(checked)) {
      for (const input of this.querySelectorAll(`input[name="attention-${name}"]`)) {
        if (input instanceof HTMLInputElement) input.checked = input.value === value;
      }
    }
    for (const view of this.querySelectorAll("[data-view]")) if (view instanceof HTMLElement) view.hidden = view.dataset.view !== state.view;
    this.controls.querySelector(".steps")?.toggleAttribute("hidden", !this.#shownHeads());
    this.grid?.mark(this.#shownHeads() ?? [], state.sort);
    this.sourceLine.replaceChildren(this.#sourceText());
    const written = `${state.words} ${state.special}`;
    if (written !== this.#written) {
      this.#written = written;
      this.over = this.last = this.pair = null;
      this.passage?.write(data.index.text, this.units, state.special === "muted");
    }
    this.#showView();
  }

  #showView() {
    const { state, matrix, map } = this;
    if (!matrix) return;
    if (state.view === "map") {
      map?.show(matrix, this.top ?? 0);
      map?.mark(this.#marked());
      this.#showPairs();
      if (this.stretch) {
        const end = this.start + matrix.units.length;
        const pager = this.#pager(this.start, end, this.units.length, (way) => {
          this.about = Math.max(0, Math.min(this.units.length - 1, this.start + ((1 + way) * matrix.units.length) / 2 + way));
          void this.refresh();
        });
        this.mapPart?.replaceChildren(pager);
      }
    }
    if (state.view === "lines") this.#showLines();
    if (state.view === "neurons") void this.#showNeurons();
    this.#read();
  }

  /** What is shown, in a sentence. */
  #sourceText() {
    const { state } = this;
    const { index } = /** @type {AttentionData} */ (this.data);
    const special = this.text(`note_${state.special}`);
    let what = this.text(`shown_${state.source}`);
    const [layer, head] = state.heads[state.heads.length - 1];
    if (state.source === "layer") what = this.text("shown_layer", { layer: layer + 1 });
    if (state.source === "head" && state.heads.length === 1) what = leaning(index, layer, head, (key, values) => this.text(key, values), (share) => this.percent(share));
    if (state.source === "head" && state.heads.length > 1) {
      what = this.text("shown_heads", { heads: state.heads.map(([l, h]) => `${l + 1}.${h + 1}`).join(", ") });
    }
    return `${what} ${special}`;
  }

  /** The unit whose attention is shown: the one held, pointed at, last pointed at, or at first a long word near the beginning. */
  #source() {
    const { units } = this;
    const pinned = this.#unitOf(this.state.word);
    if (pinned >= 0) return pinned;
    if (this.over !== null) return this.over;
    if (this.last !== null) return this.last;
    const early = units.slice(0, 40).filter((unit) => !unit.special);
    return units.indexOf(early.reduce((a, b) => (b.label.length > a.label.length ? b : a), early[0]));
  }

  /** @returns {Pair | null} */
  #pinnedPair() {
    const from = this.#unitOf(this.state.word);
    const to = this.#unitOf(this.state.to);
    return from >= 0 && to >= 0 ? { from, to } : null;
  }

  /** @param {number | null} unit */
  #point(unit) {
    if (this.over === unit) return;
    this.over = unit;
    if (unit !== null) this.last = unit;
    this.#read();
  }

  /** Holds a word, or lets it go. @param {number} unit */
  #pin(unit) {
    const token = this.units[unit].first;
    this.#set(this.#unitOf(this.state.word) === unit ? { word: null, to: null } : { word: token });
  }

  /** @param {Pair} pair */
  #pinPair(pair) {
    const { units } = this;
    this.#set({ word: units[pair.from].first, to: units[pair.to].first });
  }

  /** Lights the passage and writes the numbers of what is pointed at. */
  #read() {
    const { matrix, state, readout, legend } = this;
    if (!matrix || !readout || !legend) return;
    if (state.view === "map") {
      const pair = this.pair ?? this.#pinnedPair();
      readout.textContent = pair ? this.#pairText(pair.from, pair.to) : this.text("map_hint");
      this.#scale(this.top ?? 0);
      return;
    }
    const { units } = this;
    const muted = state.special === "muted";
    const held = this.#unitOf(state.word);
    const source = state.view === "reading" ? this.#source() : held >= 0 ? held : (this.over ?? -1);
    const weights = source >= 0 ? this.#profile(source, state.by) : null;
    const top = weights ? largest(units, muted, weights) : 0;
    if (state.view === "reading") this.passage?.light(weights, top, source, held);
    this.#scale(state.view === "reading" ? top : (this.top ?? 0));
    if (!weights) {
      readout.textContent = this.text("reading_hint");
    } else if (this.over !== null && this.over !== source) {
      readout.textContent = state.by ? this.#pairText(this.over, source) : this.#pairText(source, this.over);
    } else {
      const order = Array.from(weights.keys()).filter((unit) => !(muted && units[unit].special));
      const best = order.sort((a, b) => weights[b] - weights[a]).slice(0, 4);
      const list = best.map((unit) => this.text("unit_share", { word: units[unit].label, share: this.percent(weights[unit]) })).join(", ");
      const untouched = held < 0 && this.over === null && this.last === null;
      readout.textContent = `${this.text(state.by ? "attended_by" : "attends_to", { word: units[source].label, list })}${untouched ? `. ${this.text("reading_hint")}` : ""}`;
    }
  }

  /** @param {number} from @param {number} to */
  #pairText(from, to) {
    const { units } = this;
    return this.text("pair", { from: units[from].label, to: units[to].label, share: this.percent(this.#profile(from, false)[to]) });
  }

  /** @param {number} top weight at full shade */
  #scale(top) {
    const { legend } = this;
    if (!legend) return;
    legend.replaceChildren(make("span", {}, this.percent(0)), make("span", { class: this.state.view === "reading" ? "ramp" : "ramp full" }), make("span", { class: "end" }, top ? this.percent(top) : ""), make("span", { class: "how" }, this.text("legend")));
  }

  #showPairs() {
    const { matrix, pairs } = this;
    if (!matrix || !pairs) return;
    const head = make("tr", {}, ...["from", "to", "weight"].map((name) => make("th", { scope: "col" }, this.text(`pairs_${name}`))));
    const rows = strongest(matrix, PAIRS).map(([weight, from, to]) => {
      const button = make("button", { type: "button" }, matrix.units[from].label);
      button.addEventListener("click", () => {
        this.#pinPair(this.#moved({ from, to }));
        this.map?.reveal({ from, to });
      });
      return make("tr", {}, make("td", {}, button), make("td", {}, matrix.units[to].label), make("td", { class: "number" }, this.percent(weight)));
    });
    pairs.replaceChildren(make("caption", {}, this.text("pairs_caption")), make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** A stretch of units with buttons to the next ones. @param {number} start @param {number} end @param {number} count @param {(by: number) => void} move */
  #pager(start, end, count, move) {
    const part = make("p", { class: "part" }, this.text("lines_part", { first: start + 1, last: end, count }));
    for (const [key, sign, way] of /** @type {[string, string, number][]} */ ([["earlier", "←", -1], ["later", "→", 1]])) {
      const button = make("button", { type: "button", "aria-label": this.text(key), title: this.text(key) }, sign);
      button.disabled = way < 0 ? start === 0 : end === count;
      button.addEventListener("click", () => move(way));
      part.append(" ", button);
    }
    return part;
  }

  #showLines() {
    const { matrix, state, linesPlace } = this;
    if (!matrix || !linesPlace) return;
    const count = matrix.units.length;
    const held = this.#unitOf(state.word) - this.start;
    const about = this.lineStart === undefined ? Math.max(0, held) : this.lineStart + LINES / 2;
    const start = Math.max(0, Math.min(Math.round(about - LINES / 2), count - LINES));
    this.lineStart = start;
    const end = Math.min(count, start + LINES);
    const over = this.over === null ? -1 : this.over - this.start;
    const source = over >= start && over < end ? over : held;
    const pager = this.#pager(this.start + start, this.start + end, this.units.length, (way) => {
      const next = start + way * LINES;
      this.over = null;
      this.lineStart = Math.max(0, next);
      // Past the edge of what was multiplied, the matrix moves along.
      const edge = way < 0 ? start === 0 : end === count;
      if (edge) [this.about, this.lineStart] = [Math.max(0, this.start + next), undefined];
      if (edge) void this.refresh();
      else this.#showLines();
    });
    linesPlace.replaceChildren(pager, drawLines(matrix, start, end, this.top ?? 0, source, state.by));
  }

  /** @param {PointerEvent | null} event */
  #pointLine(event) {
    const label = event?.target instanceof Element ? event.target.closest("[data-unit]") : null;
    const unit = label ? Number(label.getAttribute("data-unit")) + this.start : null;
    if (unit === this.over) return;
    this.over = unit;
    this.#showLines();
    this.#read();
  }

  async #showNeurons() {
    const { matrix, state, neurons } = this;
    const data = /** @type {AttentionData} */ (this.data);
    if (!matrix || !neurons) return;
    const heads = this.#shownHeads();
    if (data.index.kind === "weights") return neurons.replaceChildren(make("p", {}, this.text("neurons_none")));
    if (!heads || heads.length > 1) return neurons.replaceChildren(make("p", {}, this.text("neurons_one")));
    const [layer, head] = heads[0];
    const { products } = await data.layer(layer);
    if (!products) return undefined;
    const { units } = this;
    const source = this.#source();
    const values = this.#profile(source, false);
    const pinned = this.#unitOf(state.to);
    const muted = state.special === "muted";
    const best = values.reduce((top, value, unit) => (value > values[top] && !(muted && units[unit].special) ? unit : top), Math.max(0, units.findIndex((unit) => !unit.special)));
    const target = pinned >= 0 ? pinned : best;
    return this.#drawNeurons(source, target, layer, head, products);
  }

  /** @param {number} source @param {number} target @param {number} layer @param {number} head @param {import("./attention-data.js").Products} products */
  #drawNeurons(source, target, layer, head, products) {
    const { units, neurons } = this;
    const data = /** @type {AttentionData} */ (this.data);
    if (!neurons) return;
    // Of two words in pieces, the pair of pieces with the greatest product speaks.
    const [u, v] = [units[source], units[target]];
    let best = neuronsOf(products, data.index, layer, head, u.first, v.first);
    let [from, to] = [u.first, v.first];
    for (let i = u.first; i < u.last; i++) {
      for (let j = v.first; j < v.last; j++) {
        const other = neuronsOf(products, data.index, layer, head, i, j);
        if (other.score > best.score) [best, from, to] = [other, i, j];
      }
    }
    const top = (/** @type {Float32Array} */ values) => Math.max(...values.map(Math.abs));
    const scale = Math.max(top(best.query), top(best.key));
    const tokens = data.index.tokens;
    const choose = (/** @type {string} */ name, /** @type {number} */ chosen) => {
      const select = make("select", { "aria-label": this.text(`neurons_${name}`) }, ...units.map((unit, i) => make("option", { value: String(i) }, unit.label)));
      select.value = String(chosen);
      select.addEventListener("change", () => this.#pinPair({ from: name === "query" ? Number(select.value) : source, to: name === "key" ? Number(select.value) : target }));
      return select;
    };
    const row = (/** @type {string} */ name, /** @type {Element} */ bars, /** @type {(Node | string)[]} */ ...head_) =>
      make("div", { class: "neuron" }, make("p", {}, make("b", {}, this.text(`neurons_${name}`)), " ", ...head_), bars);
    const format = new Intl.NumberFormat(this.closest("[lang]")?.getAttribute("lang") ?? undefined, { maximumFractionDigits: 2 });
    neurons.replaceChildren(
      row("query", drawBars(best.query, scale, this.text("neurons_query")), choose("query", source), ` ${tokens[from]}`),
      row("key", drawBars(best.key, scale, this.text("neurons_key")), choose("key", target), ` ${tokens[to]}`),
      row("product", drawBars(best.product, top(best.product), this.text("neurons_product")), this.text("neurons_score", { score: format.format(best.score) })),
      make("p", { class: "how" }, this.text("neurons_note")),
    );
    if (this.readout) this.readout.textContent = this.#pairText(source, target);
  }

  /** @param {Event} event */
  #click(event) {
    const label = event.target instanceof Element ? event.target.closest("text[data-unit]") : null;
    if (label) this.#pin(Number(label.getAttribute("data-unit")) + this.start);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement) return;
    const unit = event.target instanceof HTMLElement ? event.target.dataset.unit : undefined;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowUp: () => this.#step(-1, 0),
      ArrowDown: () => this.#step(1, 0),
      ArrowLeft: () => this.#step(0, -1),
      ArrowRight: () => this.#step(0, 1),
      Escape: () => this.#set({ word: null, to: null }),
      ...(unit === undefined ? {} : { Enter: () => this.#pin(Number(unit)), " ": () => this.#pin(Number(unit)) }),
      ...(event.target === this.map?.canvas ? this.#mapKeys(event.shiftKey) : {}),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {boolean} shift @returns {Record<string, () => void>} */
  #mapKeys(shift) {
    const move = (/** @type {number} */ rows, /** @type {number} */ columns) => () => {
      const count = this.matrix?.units.length ?? 1;
      const at = this.#marked() ?? { from: 0, to: 0 };
      const pair = { from: Math.min(count - 1, Math.max(0, at.from + rows)), to: Math.min(count - 1, Math.max(0, at.to + columns)) };
      this.#pinPair(this.#moved(pair));
      this.map?.reveal(pair);
    };
    return {
      "+": () => this.map?.zoom(1.6),
      "=": () => this.map?.zoom(1.6),
      "-": () => this.map?.zoom(1 / 1.6),
      0: () => this.map?.whole(),
      ...(shift ? { ArrowUp: move(-1, 0), ArrowDown: move(1, 0), ArrowLeft: move(0, -1), ArrowRight: move(0, 1) } : {}),
    };
  }

  /** @param {string} kind */
  async #save(kind) {
    const { state, matrix, stage, neurons, linesPlace, passage } = this;
    if (!matrix || !stage || !passage) return;
    const paint = colours(this);
    const title = `${this.#sourceText()} ${this.readout?.textContent ?? ""}`;
    const name = `attention-${writeState(state, location.href).match(/attention=([^&#]*)/)?.[1] ?? "all"}.${kind}`;
    if (kind === "csv") {
      save(csvFile(matrix), name);
      return;
    }
    const drawings = /** @type {SVGSVGElement[]} */ ([...((state.view === "lines" ? linesPlace : neurons)?.querySelectorAll("svg") ?? [])]);
    const picture =
      state.view === "reading" ? readingPicture(passage.place, paint, title) : state.view === "map" ? mapPicture(matrix, this.top ?? 0, paint, title) : drawnPicture(drawings, paint, title);
    save(kind === "svg" ? svgFile(picture) : await pngFile(picture), name);
  }
}

if (!customElements.get("gallery-attention")) customElements.define("gallery-attention", GalleryAttention);
