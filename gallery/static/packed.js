// Files that lie packed on the site.

/** What a file holds, unpacked if it is gzip; whoever serves it may have unpacked it already. @param {Uint8Array<ArrayBuffer>} bytes */
export async function gunzipped(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The text of a file, packed or not. @param {string} url */
export async function textOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status}`);
  return new TextDecoder().decode(await gunzipped(new Uint8Array(await response.arrayBuffer())));
}
