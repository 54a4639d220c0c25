// Layers of the map. Its coordinates are the job's own cells: x = column, y = −row. So any CRS and
// any turned grid is shown without resampling, and scene and heat lie on each other exactly.

import { applyAffine, chainAffine, invertAffine } from "../shared/affine.js";
import { openCog, readBlock, readWindow } from "./cogs.js";
import { differenceStops, SHADES, shadesOf, stopsOf } from "./colours.js";
import { heatOf } from "./heat.js";

const FAINT = 0.12; // what of the opacity is left below the threshold
const GUTTER = 1; // cells around a tile that belong to its neighbours: no seam where colours blend

/** The projection of the map of a job. */
export function projectionOf(job) {
  return new ol.proj.Projection({
    code: "cells",
    units: "m",
    metersPerUnit: job.cell,
    extent: [0, -job.rows, job.cols, 0],
    getPointResolution: (resolution) => resolution * job.cell,
  });
}

/** Where a file lies among a job's cells: `{ left, top, side }` of its first pixel. */
export function placeAmong(job, transform) {
  const [a, b, c, d, e, f] = chainAffine(invertAffine(job.transform), transform);
  const off = 1e-4 * Math.abs(a);
  if (!(a > 0) || Math.abs(b) > off || Math.abs(d) > off || Math.abs(a - e) > 1e-3 * a) {
    throw new Error("it lies on a grid that is turned against this job's, or has other proportions");
  }
  return { left: c, top: f, side: a };
}

/** The scene as the network was shown it. */
export async function sceneSource(job, href, projection) {
  const cog = await openCog(job.folder, href);
  const levels = [...cog.levels.keys()].reverse();
  const size = cog.levels[0].getTileWidth();
  return new ol.source.DataTile({
    projection,
    tileGrid: gridOf(placeAmong(job, cog.transform), cog, levels.map((i) => 2 ** halvings(cog, cog.levels[i])), size),
    tileSize: size,
    bandCount: 4,
    wrapX: false,
    transition: 150,
    loader: async (z, x, y) =>
      (await readBlock(cog.levels[levels[z]], cog.masks[levels[z]], x, y)) ?? new Uint8Array(4 * size * size),
  });
}

/** How often a level of a picture was halved, from the first pixel on: the last may be half a one. */
export function halvings(cog, image) {
  return Math.round(Math.log2(cog.width / image.getWidth()));
}

function gridOf({ left, top, side }, { width, height }, factors, tileSize) {
  return new ol.tilegrid.TileGrid({
    origin: [left, -top],
    extent: [left, -top - height * side, left + width * side, -top],
    resolutions: factors.map((factor) => side * factor),
    tileSize,
  });
}

/**
 * Values of a layer, or of one less another: bands of value and of what is known (0 or 1).
 * Values of the other are those of the cell that lies there.
 */
export async function heatSource(main, layer, minus, projection, smooth) {
  const cog = await heatOf(layer);
  const other = minus && (await heatOf(minus));
  const levels = [...cog.levels.keys()].reverse();
  const size = cog.levels[0].getTileWidth();
  const every = (image) => cog.width / image.getWidth();
  return new ol.source.DataTile({
    projection,
    tileGrid: gridOf(placeAmong(main, cog.transform), cog, levels.map((i) => every(cog.levels[i])), size),
    tileSize: size,
    gutter: GUTTER,
    bandCount: 2,
    interpolate: smooth,
    wrapX: false,
    transition: 0,
    async loader(z, x, y) {
      const image = cog.levels[levels[z]];
      const box = [x * size - GUTTER, y * size - GUTTER, size + 2 * GUTTER, size + 2 * GUTTER];
      const [values, taken] = await Promise.all([
        readWindow(image, ...box),
        other && readThere(other, chainAffine(cog.transform, scaled(every(image))), box),
      ]);
      const bands = new Float32Array(2 * values.length);
      for (let i = 0; i < values.length; i++) {
        const value = taken ? values[i] - taken[i] : values[i];
        if (value === value) bands.set([value, 1], 2 * i); // else it is not known
      }
      return bands;
    },
  });
}

const scaled = (factor) => [factor, 0, 0, 0, factor, 0];

/** Values of a file at the pixels of another grid's box, from the level whose pixels are as large. */
async function readThere(cog, transform, [left, top, width, height]) {
  const to = chainAffine(invertAffine(cog.transform), transform);
  const every = (image) => cog.width / image.getWidth();
  const image = [...cog.levels].reverse().find((one) => every(one) <= Math.abs(to[0]) * 1.01) ?? cog.levels[0];
  const there = chainAffine(scaled(1 / every(image)), to);
  const at = (col, row) => applyAffine(there, [left + col + 0.5, top + row + 0.5]).map(Math.floor);
  const [first, from] = at(0, 0);
  const [last, until] = at(width - 1, height - 1);
  const across = last - first + 1;
  const values = await readWindow(image, first, from, across, until - from + 1);
  const taken = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const [x, y] = at(col, row);
      taken[row * width + col] = values[(y - from) * across + (x - first)];
    }
  }
  return taken;
}

// Where known and unknown cells blend, the mean is of what is known.
const VALUE = ["/", ["band", 1], ["clamp", ["band", 2], 0.001, 1]];

/** How the GPU colours values: by a table, whose second half is for what is below the threshold. */
export function heatStyle(layer, minus, threshold) {
  const stops = minus ? differenceStops(reachOf(layer, minus)) : stopsOf(layer);
  const [low, high] = [stops[0][0], stops.at(-1)[0]];
  const size = minus || layer.pair ? ["abs", VALUE] : VALUE;
  const share = ["clamp", ["/", ["-", VALUE, low], high - low], 0, 1];
  const half = ["case", ["<", size, ["var", "threshold"]], SHADES, 0];
  return {
    variables: { threshold },
    color: [
      "case",
      ["<", ["band", 2], 0.5],
      [0, 0, 0, 0],
      ["palette", ["+", half, ["*", share, SHADES - 1]], [...shadesOf(stops), ...shadesOf(stops, FAINT)]],
    ],
  };
}

/** The largest difference that is told apart by colour. */
export function reachOf(layer, minus) {
  return Math.max(layer.high, minus.high);
}
