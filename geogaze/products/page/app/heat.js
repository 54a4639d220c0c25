// Layers of heat: opened once, read by cell, by tile of the map, or as a whole at some level.

import { openCog, readWindow } from "./cogs.js";

const MOST = 1024; // cells along a side of what is read as a whole

/** A layer's file. */
export function heatOf(layer) {
  return openCog(layer.job.folder, layer.href);
}

/** The value of the cell that (col, row) lies in: NaN where nothing was looked at or beyond. */
export async function valueAt(layer, [col, row]) {
  const { levels } = await heatOf(layer);
  const [value] = await readWindow(levels[0], Math.floor(col), Math.floor(row), 1, 1);
  return value;
}

const wholes = new Map();

/**
 * A layer as a whole: `{ values, width, height, every }`. Of large ones this is an overview, one
 * value for the mean of `every` × `every` cells, at most `most` along a side.
 */
export async function wholeOf(layer, most = MOST) {
  const { levels, width, height } = await heatOf(layer);
  const fits = levels.find((image) => Math.max(image.getWidth(), image.getHeight()) <= most);
  const image = fits ?? levels[levels.length - 1];
  if (!wholes.has(image)) {
    const [w, h] = [image.getWidth(), image.getHeight()];
    const reading = readWindow(image, 0, 0, w, h).then((values) => ({
      values,
      width: w,
      height: h,
      every: Math.max(width / w, height / h),
    }));
    wholes.set(image, reading);
    reading.catch(() => wholes.delete(image));
  }
  return wholes.get(image);
}
