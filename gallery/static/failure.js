// Why data could not be had, said to the reader. A fault of our own is never said so: it is thrown on, and the browser reports it.

import { fill, make } from "./dom.js";

/** Data that did not come, or came damaged. Its message is the number of the server's answer, or empty: browsers give reasons in English. */
export class FetchError extends Error {}

/** Return the reason of a FetchError as it stands behind a sentence in any language; throw any other error on. @param {unknown} error */
export function reasonOf(error) {
  if (error instanceof FetchError) return error.message && ` (${error.message})`;
  throw error;
}

/**
 * Write into a line why data could not be had, with a button that tries again.
 * @param {HTMLElement} line @param {DOMStringMap} texts `failed`, with {reason} in it, and `again`
 * @param {string} reason @param {() => void} retry
 */
export function sayFailure(line, texts, reason, retry) {
  const button = make("button", { type: "button", class: "g-again" }, texts.again ?? "");
  button.addEventListener("click", retry);
  line.replaceChildren(fill(texts.failed ?? "", { reason }), " ", button);
}
