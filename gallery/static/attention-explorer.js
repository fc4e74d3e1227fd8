// The explorer of a passage's attention: grid, switches and views, kept in step with the address.

import { HeadGrid } from "./attention-grid.js";
import { LinesView } from "./attention-lines.js";
import { MapView } from "./attention-map.js";
import { NeuronsView } from "./attention-neurons.js";
import { ReadingView } from "./attention-reading.js";
import { Readout } from "./attention-readout.js";
import { saveView } from "./attention-saving.js";
import { Selection } from "./attention-selection.js";
import { chooseHead, currentHead, readState, shownHeads, sourcesOf, step, writeState } from "./attention-state.js";
import { Toolbar } from "./attention-toolbar.js";
import { loadWeights } from "./attention-weights.js";
import { make } from "./dom.js";
import { reasonOf } from "./failure.js";

/** @typedef {import("./attention-data.js").AttentionData} AttentionData */
/** @typedef {import("./attention-state.js").Head} Head */
/** @typedef {import("./attention-state.js").State} State */
/** @typedef {import("./attention-toolbar.js").FileKind} FileKind */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-wording.js").Wording} Wording */

/**
 * @typedef {object} Told of what comes over the network
 * @property {(busy: boolean) => void} busy
 * @property {() => void} came puts the explorer into the page: the first weights have come
 * @property {(message: string) => void} say
 * @property {(reason: string, retry: () => void) => void} fail
 */

export class Explorer {
  /** Counts refreshes, so that a slow answer to an earlier choice is dropped. */
  #turn = 0;
  /** Kind of units that the passage is written in. */
  #written = "";

  /** @param {AttentionData} data @param {Wording} wording @param {Element} figure with the picture of all heads @param {Told} told */
  constructor(data, wording, figure, told) {
    this.data = data;
    this.wording = wording;
    this.told = told;
    const { index } = data;
    const selection = new Selection(readState(location.search, index));
    this.selection = selection;
    const read = () => this.#read();
    const refresh = () => void this.refresh();
    const pin = (/** @type {number} */ unit) => this.#pin(unit);
    const pinPair = (/** @type {Pair} */ pair) => this.#pinPair(pair);
    const set = (/** @type {Partial<State>} */ change) => this.#set(change);
    this.grid = new HeadGrid(figure, index, wording, { open: (head, add) => this.#openHead(head, add), sort: (sort) => set({ sort }) });
    this.toolbar = new Toolbar(wording, sourcesOf(index), { set, step: (layers, heads) => this.#step(layers, heads), save: (kind) => void this.#save(kind) });
    this.readout = new Readout(wording, selection);
    this.reading = new ReadingView({ point: (unit) => selection.point(unit) && read(), pin });
    this.map = new MapView(wording, selection, { read, pin: pinPair, refresh });
    this.lines = new LinesView(wording, selection, { read, pin, refresh });
    this.neurons = new NeuronsView(wording, selection, data, { pin: pinPair, sayPair: (pair) => this.readout.sayPair(pair) });
    this.views = { reading: this.reading, map: this.map, lines: this.lines, neurons: this.neurons };
    const stage = make("div", { class: "stage" }, ...Object.values(this.views).map((view) => view.element));
    stage.addEventListener("keydown", (event) => this.#key(event));
    this.element = make(
      "div",
      { class: "explorer" },
      this.toolbar.controls,
      this.toolbar.sentence,
      this.toolbar.viewbar,
      stage,
      this.readout.element,
      make("p", { class: "keys" }, wording.text("keys")),
    );
  }

  /** Take the state from the address. */
  fromAddress() {
    this.selection.state = readState(location.search, this.data.index);
    void this.refresh();
  }

  /** @param {Partial<State>} change */
  #set(change) {
    const { selection } = this;
    Object.assign(selection.state, { absent: null }, change);
    history.replaceState(history.state, "", writeState(selection.state, location.href));
    void this.refresh();
  }

  /** @param {Head} head @param {boolean} add to the open heads */
  #openHead(head, add) {
    this.#set(chooseHead(this.selection.state, this.data.index, head, add) ?? { absent: head[0] });
  }

  /** @param {number} layers @param {number} heads */
  #step(layers, heads) {
    const change = step(this.selection.state, this.data.index, layers, heads);
    if (change) this.#set(change);
  }

  /** Hold a unit, or let it go. @param {number} unit */
  #pin(unit) {
    const { selection } = this;
    this.#set(selection.held === unit ? { word: null, to: null } : { word: selection.weights.units[unit].first });
  }

  /** @param {Pair} pair of the passage */
  #pinPair(pair) {
    const [from, to] = [pair.from, pair.to].map((unit) => this.selection.weights.units[unit]);
    if (from && to) this.#set({ word: from.first, to: to.first });
  }

  /** Fetch what the state asks for and show it. */
  async refresh() {
    const { data, selection, told, wording } = this;
    const { absent } = selection.state;
    const turn = ++this.#turn;
    told.busy(true);
    try {
      const weights = await loadWeights(data, { ...selection.state }, selection.about);
      if (turn !== this.#turn) return;
      told.say(absent === null ? "" : `${wording.text("absent", { layer: absent + 1 })} ${wording.text("left_out")}`);
      selection.weights = weights;
      told.came();
      await this.#show();
    } catch (error) {
      const reason = reasonOf(error);
      if (turn === this.#turn) told.fail(reason, () => void this.refresh());
    } finally {
      if (turn === this.#turn) told.busy(false);
    }
  }

  /** Set switches, grid and passage to the state, and show its view. */
  async #show() {
    const { selection, data } = this;
    const { state, weights } = selection;
    const heads = shownHeads(state, data.index);
    this.toolbar.show(state, this.#sentence(), heads !== null || state.source === "norms");
    for (const [name, { element }] of Object.entries(this.views)) element.hidden = name !== state.view;
    this.grid.mark(heads ?? [], state.sort);
    const written = `${state.words} ${state.special}`;
    if (written !== this.#written) {
      this.#written = written;
      selection.clear();
      this.map.pair = null;
      this.reading.write(data.index.text, weights.units, weights.muted);
    }
    this.#read();
    if (state.view !== "reading") await this.views[state.view].show();
  }

  /** Say what is shown. */
  #sentence() {
    const { wording, data } = this;
    const { state } = this.selection;
    const [layer] = currentHead(state);
    const heads = state.heads.map((head) => head.map((number) => number + 1).join(".")).join(", ");
    const shown = {
      head: () => (state.heads.length > 1 ? wording.text("shown_heads", { heads }) : wording.leaning(data.index, currentHead(state))),
      layer: () => wording.text("shown_layer", { layer: layer + 1 }),
      norms: () => wording.text("shown_norms", { layer: layer + 1 }),
      all: () => wording.text("shown_all"),
      rollout: () => wording.text("shown_rollout"),
    };
    return `${shown[state.source]()} ${wording.text(`note_${state.special}`)}`;
  }

  /** Say in numbers what is held or pointed at, and light the passage by it. */
  #read() {
    const { selection, readout } = this;
    const { state, weights, held, over } = selection;
    if (!weights.units.length) return;
    if (state.view === "map") {
      const pair = this.map.pair ?? selection.pair;
      if (pair) readout.sayPair(pair);
      else readout.sayHint("map_hint");
      readout.scale(weights.top, false);
      return;
    }
    const reading = state.view === "reading";
    const anchor = reading ? selection.anchor : held >= 0 ? held : (over ?? -1);
    const values = anchor < 0 ? new Float32Array(weights.units.length) : weights.profile(anchor, state.by);
    const top = reading ? weights.topOf(values) : weights.top;
    if (reading) this.reading.light(values, top, anchor, held);
    readout.scale(top, reading);
    if (anchor < 0) return readout.sayHint("reading_hint");
    if (over === null || over === anchor) return readout.sayUnit(anchor, values);
    return readout.sayPair(state.by ? { from: over, to: anchor } : { from: anchor, to: over });
  }

  /** @param {KeyboardEvent} event in a view */
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
      ...(unit === undefined || event.shiftKey || this.selection.state.view !== "reading"
        ? {}
        : { ArrowLeft: () => this.reading.focusFrom(Number(unit), -1), ArrowRight: () => this.reading.focusFrom(Number(unit), 1) }),
      ...(event.target === this.map.heat.canvas ? this.map.keys(event.shiftKey) : {}),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {FileKind} kind */
  async #save(kind) {
    const { view } = this.selection.state;
    const title = `${this.#sentence()} ${this.readout.line.textContent}`;
    await saveView(kind, this.selection, view === "reading" ? this.reading.text : this.views[view].element, title);
  }
}
