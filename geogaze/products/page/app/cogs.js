// Cloud-optimised GeoTIFFs: their levels, where they lie, and windows of them.

import { inflated } from "./inflating.js";

const DEFLATE = 8; // TIFF's numbers
const FLOATS = 3;

/** What GDAL deflates: unpacked by the browser, its floating-point predictor undone in one pass. */
class Deflated extends GeoTIFF.BaseDecoder {
  async decode(buffer) {
    const { predictor, bitsPerSample } = this.parameters;
    if (predictor !== FLOATS || Math.max(...[bitsPerSample].flat()) !== 32) return super.decode(buffer);
    return floatsOf(new Uint8Array(await inflated(buffer, "deflate")), this.parameters.tileWidth);
  }
  decodeBlock(buffer) {
    return inflated(buffer, "deflate");
  }
}
GeoTIFF.addDecoder(DEFLATE, async () => Deflated, undefined, false);

/**
 * Float32 of one band from rows of differences (TIFF's technical note 3): a row holds the highest bytes of
 * all its values, then the next ones, down to the lowest.
 */
function floatsOf(bytes, width) {
  const row = 4 * width;
  const values = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += row) {
    for (let i = 0, sum = 0, byte = 3; byte >= 0; byte--) {
      for (let col = 0; col < width; col++, i++) {
        sum = (sum + bytes[start + i]) & 255;
        values[start + 4 * col + byte] = sum;
      }
    }
  }
  return values.buffer;
}

const NOT_AN_IMAGE = 4; // NewSubfileType's bit of masks

const opened = new Map();

/**
 * A GeoTIFF, opened once: `{ transform, width, height, levels, masks }`, levels finest first. The
 * directory of all levels lies at the beginning of the file, so this is one request.
 */
export function openCog(folder, href) {
  const files = opened.get(folder) ?? opened.set(folder, new Map()).get(folder);
  if (!files.has(href)) {
    const opening = open(folder, href);
    files.set(href, opening);
    opening.catch(() => files.delete(href)); // asked for again, it is tried again
  }
  return files.get(href);
}

async function open(folder, href) {
  const tiff = await folder.cog(href);
  const count = await tiff.getImageCount();
  const images = await Promise.all(Array.from({ length: count }, (_, i) => tiff.getImage(i)));
  const is = (image) => (image.fileDirectory.getValue("NewSubfileType") ?? 0) & NOT_AN_IMAGE;
  const bySize = (one, other) => other.getWidth() - one.getWidth();
  const levels = images.filter((image) => !is(image)).sort(bySize);
  const masks = images.filter(is).sort(bySize);
  const [finest] = levels;
  return {
    transform: transformOf(finest),
    width: finest.getWidth(),
    height: finest.getHeight(),
    levels,
    masks: masks.length === levels.length ? masks : levels.map(() => null),
  };
}

/** (col, row) to the CRS, as the file says it. */
function transformOf(image) {
  const matrix = image.fileDirectory.getValue("ModelTransformation");
  if (matrix) return [matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]];
  const [x, y] = image.getOrigin();
  const [across, down] = image.getResolution();
  return [across, 0, x, 0, down, y];
}

/**
 * A window of one band: values (height × width, float32) of `image` from (left, top) on, `outside` beyond
 * its border.
 */
export async function readWindow(image, left, top, width, height, outside = NaN) {
  const values = new Float32Array(width * height).fill(outside);
  const right = Math.min(left + width, image.getWidth());
  const bottom = Math.min(top + height, image.getHeight());
  const [first, from] = [Math.max(left, 0), Math.max(top, 0)];
  if (first >= right || from >= bottom) return values;
  const [band] = await image.readRasters({ window: [first, from, right, bottom], samples: [0] });
  const across = right - first;
  for (let row = from; row < bottom; row++) {
    const start = (row - from) * across;
    values.set(band.subarray(start, start + across), (row - top) * width + (first - left));
  }
  return values;
}

/**
 * A block of a picture, as something that can be drawn: its JPEG is decoded by the browser, which is
 * many times quicker than a script. Null where it is empty.
 */
export async function readBlock(image, mask, col, row) {
  const number = row * Math.ceil(image.getWidth() / image.getTileWidth()) + col;
  const directory = image.fileDirectory;
  const [offset, length] = await Promise.all([
    directory.loadValueIndexed("TileOffsets", number),
    directory.loadValueIndexed("TileByteCounts", number),
  ]);
  if (!length) return null;
  const [width, height] = [image.getTileWidth(), image.getTileHeight()];
  const [[data], valid] = await Promise.all([
    image.source.fetch([{ offset: Number(offset), length: Number(length) }]),
    mask && readWindow(mask, col * width, row * height, width, height, 0),
  ]);
  const picture = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
  return valid && valid.includes(0) ? cut(picture, valid) : picture;
}

/** A picture without what is not valid. */
function cut(picture, valid) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < valid.length; i++) if (!valid[i]) pixels.data[4 * i + 3] = 0;
  context.putImageData(pixels, 0, 0);
  return canvas;
}
