// Buttons that lead from one part of a passage to the parts before and after it.

import { make } from "./dom.js";

/** @typedef {import("./attention-wording.js").Wording} Wording */

/** Make a button that shows a sign and says its purpose. @param {Wording} wording @param {string} key of the purpose @param {string} sign @param {() => void} act */
export function signButton(wording, key, sign, act) {
  const purpose = wording.text(key);
  const button = make("button", { type: "button", title: purpose, "aria-label": purpose }, sign);
  button.addEventListener("click", act);
  return button;
}

/**
 * Say which units [start, end) of a passage are shown, with buttons to the next ones.
 * @param {Wording} wording @param {number} start @param {number} end @param {number} count of all units
 * @param {(way: -1 | 1) => void} turn
 */
export function pager(wording, start, end, count, turn) {
  const earlier = signButton(wording, "earlier", "←", () => turn(-1));
  const later = signButton(wording, "later", "→", () => turn(1));
  earlier.disabled = start === 0;
  later.disabled = end === count;
  return make("p", { class: "part" }, wording.text("lines_part", { first: start + 1, last: end, count }), " ", earlier, " ", later);
}
