// The tile at a place, and how probable, or how large, the model finds each class there.

import { readNumbers, readTable } from "./table.js";

/** The tile whose middle is nearest to a cell: `{ row, col, first: [row, col] }` of its cells. */
export function tileAt({ tiling, rows, cols }, [x, y]) {
  const along = (at, count, length) => {
    const first = (n) => Math.min(n * tiling.step, Math.max(0, length - tiling.cells));
    const off = (n) => Math.abs(first(n) + tiling.cells / 2 - at);
    const near = Math.min(count - 1, Math.max(0, Math.round((at - tiling.cells / 2) / tiling.step)));
    const number = off(count - 1) < off(near) ? count - 1 : near; // the last one is moved back
    return [number, first(number)];
  };
  const [row, top] = along(y, tiling.rows, rows);
  const [col, left] = along(x, tiling.cols, cols);
  return { row, col, first: [top, left] };
}

const tables = new Map();
const columns = new Map();

/**
 * Probabilities of a tile by layer, or shares of its pixels; null where the table does not tell, NaN
 * where none is known.
 */
export async function figuresOf(job, { row, col }) {
  const { folder, tiles } = job;
  if (!tables.has(job)) tables.set(job, readTable(folder, tiles));
  const table = await tables.get(job);
  let at = row * job.tiling.cols + col; // row by row
  let group = 0;
  while (group < table.groups.length && at >= table.groups[group].rows) at -= table.groups[group++].rows;
  if (group === table.groups.length) return null;
  const read = (name, kind) => {
    const key = `${group} ${name}`;
    const known = columns.get(job) ?? columns.set(job, new Map()).get(job);
    if (!known.has(key)) known.set(key, readNumbers(folder, tiles, table, group, name, kind));
    return known.get(key);
  };
  const [rows, cols] = await Promise.all([read("row", Int32Array), read("col", Int32Array)]);
  if (rows[at] !== row || cols[at] !== col) return null;
  const columnOf = (layer) => `${layer.share ? "share" : "p"}_${layer.name}`;
  const named = job.layers.filter((layer) => table.columns.includes(columnOf(layer)));
  const values = await Promise.all(named.map((layer) => read(columnOf(layer), Float32Array)));
  return new Map(named.map((layer, i) => [layer, values[i][at]]));
}
