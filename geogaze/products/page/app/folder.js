// Where a job's files lie: below an address, or among files that somebody has dropped on the page.

const BLOCK = 2 ** 17; // bytes that are asked for at once: the directory of a large picture in few requests

/** A job's folder on a host. Files are read by range, and nothing else is asked for. */
export function folderAt(address) {
  const base = new URL(address, location.href);
  const place = (href) => new URL(href, base).href;
  return {
    cog: (href) => GeoTIFF.fromUrl(place(href), { blockSize: BLOCK }),
    async json(href) {
      const answer = await fetch(place(href));
      if (!answer.ok) throw new Error(`${place(href)} answers ${answer.status}`);
      return answer.json();
    },
    /** Bytes from `start` to `stop` (exclusive); where `start` is negative, the file's last ones. */
    async bytes(href, start, stop) {
      const span = start < 0 ? `bytes=${start}` : `bytes=${start}-${stop - 1}`;
      const answer = await fetch(place(href), { headers: { Range: span } });
      if (!answer.ok) throw new Error(`${place(href)} answers ${answer.status}`);
      const data = await answer.arrayBuffer();
      return answer.status === 206 ? data : data.slice(start, stop);
    },
  };
}

/** A job's folder among files from a disk, which a page opened from there may not read itself. */
export function folderOf(files) {
  const byName = new Map([...files].map((file) => [file.name, file]));
  const find = (href) => {
    const name = decodeURIComponent(href.replace(/^\.\//, ""));
    if (!byName.has(name)) throw new Error(`${name} is not among the files`);
    return byName.get(name);
  };
  return {
    cog: async (href) => GeoTIFF.fromBlob(find(href)),
    json: async (href) => JSON.parse(await find(href).text()),
    bytes: async (href, start, stop) => find(href).slice(start, stop).arrayBuffer(),
  };
}
