// Files of the site as scripts read them. Every failure of the network, the server or the data is a FetchError.

import { FetchError } from "./failure.js";

/** Await data; where they do not come whole, throw FetchError. @template T @param {Promise<T>} data @returns {Promise<T>} */
async function received(data) {
  try {
    return await data;
  } catch (error) {
    throw new FetchError("", { cause: error });
  }
}

/** Ask the server. @param {string | URL} address relative to the page, or whole @returns {Promise<Response>} of a request that went well */
async function ask(address) {
  const url = new URL(address, document.baseURI); // outside `received`: an address that is none is a fault of ours
  const response = await received(fetch(url));
  if (!response.ok) throw new FetchError(String(response.status));
  return response;
}

/** Unpack a file if it is gzip; whoever served it may have unpacked it already. @param {Uint8Array<ArrayBuffer>} bytes */
export async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await received(new Response(stream).arrayBuffer()));
}

/** Fetch a file, packed or not. @param {string | URL} address */
export async function fetchFile(address) {
  const response = await ask(address);
  return unpacked(new Uint8Array(await received(response.arrayBuffer())));
}

/** Fetch a text, packed or not. @param {string} address */
export async function fetchText(address) {
  return new TextDecoder().decode(await fetchFile(address));
}

/** Fetch another page of the site, with the address that it came from. @param {string} address */
export async function fetchPage(address) {
  const response = await ask(address);
  const text = await received(response.text());
  return { page: new DOMParser().parseFromString(text, "text/html"), address: response.url };
}

/** Parse JSON that was fetched. @param {string} text @returns {unknown} */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FetchError("", { cause: error });
  }
}

/** @type {Map<string, Promise<unknown>>} */
const kept = new Map();

/**
 * Fetch a JSON file once, packed or not. A failure is forgotten, so that the next call tries again.
 * @template T what the file holds @param {string} address @returns {Promise<T>}
 */
export function fetchJson(address) {
  const whole = new URL(address, document.baseURI).href;
  let promise = kept.get(whole);
  if (!promise) {
    promise = fetchText(whole).then(parsed);
    promise.catch(() => kept.delete(whole));
    kept.set(whole, promise);
  }
  return /** @type {Promise<T>} */ (promise);
}
