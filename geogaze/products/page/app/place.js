// What lies at a place: evidence and heat of all layers, and what the model says of the tile.

import { applyAffine, invertAffine } from "../shared/affine.js";
import { $, make } from "../shared/elements.js";
import { exact } from "./figures.js";
import { valueAt } from "./heat.js";
import { barOf, headOf } from "./panels.js";
import { figuresOf, tileAt } from "./tiles.js";

/** Show what lies at `state.at` in its panel; `layers` gives all there are, of all jobs. */
export function makePlace(job, layers, state, tell) {
  const panel = $("place");
  const close = () => state.set({ at: null });
  let asked = 0;
  async function show() {
    const { at, layer: shown } = state.get();
    const number = ++asked;
    panel.hidden = !at;
    if (!at) return;
    const read = await Promise.all(
      layers().map(async (layer) => {
        const cell = applyAffine(invertAffine(layer.job.transform), at);
        const [value, ...pair] = await Promise.all([layer, ...(layer.pair ?? [])].map((part) => valueAt(part, cell)));
        return { layer, value, pair };
      }),
    ).catch(tell);
    if (!read || number !== asked) return; // another place has been asked about meanwhile
    const cell = applyAffine(invertAffine(job.transform), at);
    const tile = job.tiling && job.tiles ? tileAt(job, cell) : null;
    const probable = tile && (await figuresOf(job, tile).catch(tell));
    if (number !== asked) return;
    const where = `${at.map((x) => Number(x.toPrecision(10))).join(", ")} ${job.crs}`;
    panel.replaceChildren(
      headOf("At this place", close),
      make("p", { class: "faint" }, where),
      tableOf(read, shown, probable),
      make("p", { class: "faint" }, footnote(job, tile)),
    );
    panel.dataset.at = at.join(",");
  }
  state.on(["at", "layer"], show);
  return show;
}

function tableOf(read, shown, probable) {
  const weight = ({ layer, value }) => (Number.isNaN(value) ? -Infinity : value * (layer.scale ?? 1));
  const order = (one) => (one.layer.pair ? Math.abs(weight(one)) : weight(one)); // what changed most, either way
  const sorted = [...read].sort((one, other) => order(other) - order(one));
  const most = Math.max(...sorted.map((one) => Math.abs(weight(one))).filter(Number.isFinite), 1e-9);
  const rows = sorted.map((one) => {
    const { layer, value, pair } = one;
    const chance = probable?.get(layer);
    return make(
      "tr",
      { "data-layer": layer.id, "data-value": String(value), class: layer.id === shown ? "shown" : "" },
      make("th", { scope: "row", title: layer.name }, layer.id),
      barOf(Number.isFinite(weight(one)) ? Math.abs(weight(one)) / most : 0, weight(one) < 0),
      ...pair.map((part) => make("td", {}, exact(Number(part.toPrecision(3))))),
      make("td", {}, pair.length ? exact(Number(value.toPrecision(3))) : exact(value)),
      probable ? make("td", {}, chance === undefined || Number.isNaN(chance) ? "" : chance.toFixed(3)) : null,
    );
  });
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "layer"),
    make("th", { scope: "col" }, read[0].layer.pair ? "" : "evidence"),
    ...(read[0].layer.pair ? read[0].layer.job.compared.names.map((name) => make("th", { scope: "col" }, name)) : []),
    make("th", { scope: "col" }, read[0].layer.pair ? "change" : read[0].layer.job.raw ? "logit" : "heat"),
    probable ? make("th", { scope: "col" }, "in tile") : null,
  );
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

function footnote(job, tile) {
  if (job.compared) return "Heat of both, and of the second less the first.";
  const scaled = job.raw
    ? "Bars and numbers are evidence, in logits."
    : "Heat is each layer's own scale; bars are evidence (heat × scale), which compares between layers.";
  const said = job.layers.some((layer) => layer.share) ? "share of pixels" : "probability";
  return tile ? `${scaled} “In tile” is the ${said} in tile ${tile.row}, ${tile.col}.` : scaled;
}
