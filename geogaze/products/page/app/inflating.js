// Deflated bytes, unpacked by the browser: off the page's own thread, and many times quicker than a script.

/** The bytes as an ArrayBuffer; `format` is "deflate" (zlib's) or "gzip". */
export function inflated(bytes, format) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  return new Response(stream).arrayBuffer();
}
