// The files of one passage's attention, on the server or in the page itself.

import { FetchError } from "./failure.js";
import { fetchFile, unpacked } from "./fetching.js";

/** @typedef {(name: string) => Promise<Uint8Array<ArrayBuffer>>} ReadFile gives a file of a passage, unpacked. Throws FetchError */

/** How `src` begins where the page itself holds the files, as base64 in scripts: gallery/site/build/export.py writes such pages. */
const HELD = "held:";

/** Return whether the page itself holds a folder; a page opened from a disk can read no other. @param {string} folder */
export function isHeld(folder) {
  return folder.startsWith(HELD);
}

/** Return the reader of a folder's files. @param {string} folder address that ends in a slash @returns {ReadFile} */
export function filesOf(folder) {
  if (isHeld(folder)) return (name) => readHeld(folder + name);
  const base = new URL(folder, document.baseURI);
  return (name) => fetchFile(new URL(name, base));
}

/** Read a file that the page holds. @param {string} name */
async function readHeld(name) {
  const script = document.querySelector(`script[data-file="${CSS.escape(name)}"]`);
  if (!script) throw new FetchError(name);
  return unpacked(Uint8Array.from(decoded(script.textContent ?? "", name), (character) => character.charCodeAt(0)));
}

/** Decode base64. @param {string} text @param {string} name of the file, for the message */
function decoded(text, name) {
  try {
    return atob(text.trim());
  } catch {
    throw new FetchError(name);
  }
}
