// The table of tiles, tiles.parquet: read by column and by range, as geogaze writes it (a page for
// each column of a row group, plain values, deflated), and no other Parquet.

import { inflated } from "./inflating.js";

const MAGIC = 4; // bytes, and as many that say how long the description is

/** What the file says of itself: `{ columns: [name], groups: [{ rows, chunks: [{ start, size }] }] }`. */
export async function readTable(folder, href) {
  const end = new DataView(await folder.bytes(href, -2 * MAGIC));
  const length = end.getUint32(0, true);
  const bytes = new Uint8Array(await folder.bytes(href, -(length + 2 * MAGIC)));
  const { 2: schema, 4: groups } = struct({ bytes, at: 0 });
  return {
    columns: schema.slice(1).map((column) => text(column[4])),
    gaps: schema.slice(1).map((column) => column[3] === 1),
    groups: (groups ?? []).map((group) => ({
      rows: group[3],
      chunks: group[1].map(({ 3: about }) => ({ start: about[9], size: about[7] })),
    })),
  };
}

/** The numbers of a column of a row group; NaN where there is none. */
export async function readNumbers(folder, href, table, group, name, kind = Float32Array) {
  const column = table.columns.indexOf(name);
  const { rows, chunks } = table.groups[group];
  const { start, size } = chunks[column];
  const reader = { bytes: new Uint8Array(await folder.bytes(href, start, start + size)), at: 0 };
  struct(reader); // the page's own description
  const data = await inflated(reader.bytes.subarray(reader.at), "gzip");
  if (!table.gaps[column]) return new kind(data);
  const levels = { bytes: new Uint8Array(data), at: 4 };
  const stop = 4 + new DataView(data).getUint32(0, true);
  varint(levels); // one run of bits
  const values = new kind(data.slice(stop));
  const all = new Float32Array(rows).fill(NaN);
  for (let row = 0, next = 0; row < rows; row++) {
    if ((levels.bytes[levels.at + (row >> 3)] >> (row & 7)) & 1) all[row] = values[next++];
  }
  return all;
}

const text = (bytes) => new TextDecoder().decode(bytes);

/** A struct of Thrift's compact protocol: field numbers to values. */
function struct(reader) {
  const fields = {};
  for (let number = 0; ; ) {
    const head = reader.bytes[reader.at++];
    if (head === 0) return fields;
    number = head >> 4 ? number + (head >> 4) : zigzag(reader);
    fields[number] = value(reader, head & 15);
  }
}

function value(reader, kind) {
  if (kind <= 2) return kind === 1;
  if (kind === 3) return reader.bytes[reader.at++];
  if (kind <= 6) return zigzag(reader);
  if (kind === 8) {
    const length = varint(reader);
    reader.at += length;
    return reader.bytes.subarray(reader.at - length, reader.at);
  }
  if (kind === 12) return struct(reader);
  if (kind !== 9) throw new Error(`tiles.parquet holds what geogaze does not write (type ${kind})`);
  const head = reader.bytes[reader.at++];
  const count = head >> 4 === 15 ? varint(reader) : head >> 4;
  return Array.from({ length: count }, () => value(reader, head & 15));
}

function varint(reader) {
  let [number, weight] = [0, 1];
  for (;;) {
    const byte = reader.bytes[reader.at++];
    number += (byte & 127) * weight; // beyond 32 bits too
    if (byte < 128) return number;
    weight *= 128;
  }
}

function zigzag(reader) {
  const number = varint(reader);
  return number % 2 ? -(number + 1) / 2 : number / 2;
}
