// The switches and buttons around the views.

import { signButton } from "./attention-pager.js";
import { SPECIALS, VIEWS } from "./attention-state.js";
import { make } from "./dom.js";

/** @typedef {import("./attention-state.js").State} State */
/** @typedef {import("./attention-wording.js").Wording} Wording */
/** @typedef {"svg" | "png" | "csv"} FileKind */

export class Toolbar {
  /** @type {Map<string, HTMLInputElement>} by name and value */
  #inputs = new Map();

  /**
   * @param {Wording} wording @param {State["source"][]} sources that this site carries
   * @param {{ set: (change: Partial<State>) => void, step: (layers: number, heads: number) => void, save: (kind: FileKind) => void }} told of the reader's wishes
   */
  constructor(wording, sources, told) {
    this.wording = wording;
    this.steps = make(
      "span",
      { class: "steps" },
      signButton(wording, "layer_up", "↑", () => told.step(-1, 0)),
      signButton(wording, "layer_down", "↓", () => told.step(1, 0)),
      signButton(wording, "head_left", "←", () => told.step(0, -1)),
      signButton(wording, "head_right", "→", () => told.step(0, 1)),
    );
    this.controls = make(
      "div",
      { class: "controls" },
      this.#choice("source", sources, (source) => told.set({ source })),
      this.steps,
      this.#choice("direction", ["to", "by"], (direction) => told.set({ by: direction === "by" })),
      this.#choice("unit", ["words", "tokens"], (unit) => told.set({ words: unit === "words" })),
      this.#choice("special", SPECIALS, (special) => told.set({ special })),
    );
    this.sentence = make("p", { class: "sourceline", "aria-live": "polite" });
    const tabs = this.#choice("view", VIEWS, (view) => told.set({ view }));
    tabs.classList.add("tabs");
    const saving = make("span", { class: "saving" }, make("span", {}, wording.text("save")));
    for (const kind of /** @type {const} */ (["svg", "png", "csv"])) {
      const button = make("button", { type: "button", "data-save": kind }, kind.toUpperCase());
      button.addEventListener("click", () => told.save(kind));
      saving.append(" ", button);
    }
    this.viewbar = make("div", { class: "viewbar" }, tabs, saving);
  }

  /** @template {string} T @param {string} name @param {readonly T[]} options @param {(value: T) => void} chosen */
  #choice(name, options, chosen) {
    const group = make("fieldset", { class: "choice" }, make("legend", {}, this.wording.text(name)));
    for (const option of options) {
      const input = make("input", { type: "radio", name: `attention-${name}`, value: option });
      input.addEventListener("change", () => chosen(option));
      this.#inputs.set(`${name} ${option}`, input);
      group.append(make("label", {}, input, make("span", {}, this.wording.text(`${name}_${option}`))));
    }
    return group;
  }

  /** Set the switches to a state. @param {State} state @param {string} sentence that says what is shown @param {boolean} steps whether a head can be stepped from */
  show(state, sentence, steps) {
    const chosen = { source: state.source, direction: state.by ? "by" : "to", unit: state.words ? "words" : "tokens", special: state.special, view: state.view };
    for (const [name, value] of Object.entries(chosen)) {
      const input = this.#inputs.get(`${name} ${value}`);
      if (input) input.checked = true;
    }
    this.steps.hidden = !steps;
    this.sentence.replaceChildren(sentence);
  }
}
