// The strip of layers: a thumbnail of each, and what the model says of it.

import { SHADES, shadesOf, stopsOf } from "./colours.js";
import { openCog, readBlock } from "./cogs.js";
import { wholeOf } from "./heat.js";
import { shortStandingOf, standingOf } from "./job.js";
import { halvings, placeAmong } from "./layers.js";

const SIDE = 216; // pixels of a thumbnail's longer side
const AT_ONCE = 3;

/** Fill the strip, one radio button a layer. `ready` resolves when thumbnails may be read. */
export function makeStrip(strip, layers, state, ready) {
  const cards = new Map(layers.map((layer) => [layer.id, cardOf(layer)]));
  for (const { card, input } of cards.values()) {
    input.addEventListener("change", () => state.set({ layer: input.value }));
    strip.append(card);
  }
  const show = ({ layer }) => {
    const chosen = cards.get(layer);
    if (!chosen) return;
    chosen.input.checked = true;
    const off = chosen.card.offsetLeft - strip.offsetLeft;
    if (off < strip.scrollLeft || off + chosen.card.offsetWidth > strip.scrollLeft + strip.clientWidth) {
      strip.scrollLeft = off - 12;
    }
  };
  state.on(["layer"], show);
  show(state.get());

  // Thumbnails are drawn as they come into view, a few at a time.
  const waiting = [];
  let busy = 0;
  const next = async () => {
    if (busy >= AT_ONCE || !waiting.length) return;
    busy++;
    const { layer, canvas } = waiting.shift();
    await drawThumbnail(canvas, layer).catch(() => {}); // its card says what it is without one
    busy--;
    next();
  };
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        waiting.push(cards.get(target.dataset.layer));
        next();
      }
    },
    { root: strip, rootMargin: "0px 200px" },
  );
  ready.then(() => cards.forEach(({ card }) => seen.observe(card)));
}

function cardOf(layer) {
  const card = document.createElement("label");
  card.className = "layer";
  card.dataset.layer = layer.id;
  card.title = [layer.name, standingOf(layer)].filter(Boolean).join(": ");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "layer", value: layer.id });
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  const name = document.createElement("b");
  name.textContent = layer.name;
  const standing = document.createElement("small");
  standing.textContent = shortStandingOf(layer);
  card.append(input, canvas, name, standing);
  return { layer, card, input, canvas };
}

async function drawThumbnail(canvas, layer) {
  const { job } = layer;
  const [heat, scene] = await Promise.all([wholeOf(layer, 256), sceneThumbnail(job)]);
  const scale = SIDE / Math.max(job.cols, job.rows);
  canvas.width = Math.max(1, Math.round(job.cols * scale));
  canvas.height = Math.max(1, Math.round(job.rows * scale));
  const context = canvas.getContext("2d");
  if (scene?.picture) {
    const { left, top, width, height } = scene.box;
    context.drawImage(scene.picture, left * scale, top * scale, width * scale, height * scale);
  }
  context.drawImage(coloured(heat, layer), 0, 0, canvas.width, canvas.height);
}

function coloured({ values, width, height }, layer) {
  const shades = shadesOf(stopsOf(layer));
  const image = new ImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== values[i]) continue;
    const share = Math.min(1, Math.max(0, (values[i] - layer.low) / (layer.high - layer.low)));
    const [r, g, b, a] = shades[Math.round((SHADES - 1) * share)];
    image.data.set([r, g, b, 255 * a], 4 * i);
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

const thumbnails = new Map();

function sceneThumbnail(job) {
  if (!job.scene) return null;
  if (!thumbnails.has(job)) thumbnails.set(job, readThumbnail(job));
  return thumbnails.get(job);
}

/** The scene's coarsest level, which is one block, and which of the job's cells that covers. */
async function readThumbnail(job) {
  const cog = await openCog(job.folder, job.scene);
  const [image, mask] = [cog.levels.at(-1), cog.masks.at(-1)];
  const { left, top, side } = placeAmong(job, cog.transform);
  const every = side * 2 ** halvings(cog, image);
  const [width, height] = [image.getTileWidth() * every, image.getTileHeight() * every];
  return { picture: await readBlock(image, mask, 0, 0), box: { left, top, width, height } };
}
