// A job as its STAC Item tells it: layers, how to draw them, and what the model says of each. A
// comparison of two is told likewise: its layers are differences, and each knows the pair it is of.

import { counted } from "./figures.js";

const HEAT = "heat-";
const DIFFERENCE = "difference-";
const SIDES = ["first", "second"];

/** Read a job's Item. `tag` goes before the ids of its layers, so that two jobs' do not mix. */
export async function readJob(folder, tag = "") {
  const item = await folder.json("item.json");
  const said = item.properties;
  const compared = Boolean(said && "geogaze:compared" in said);
  if (!compared && !(said && "geogaze:model" in said)) throw new Error("item.json describes no job of geogaze");
  const [rows, cols] = said["proj:shape"];
  const job = {
    folder,
    compared: compared ? { names: said["geogaze:names"] ?? SIDES, level: said["geogaze:threshold"] } : null,
    title: said.title,
    model: said["geogaze:model"],
    method: said["geogaze:method"],
    warnings: said["geogaze:warnings"] ?? [],
    crs: said["proj:code"] ?? "",
    wkt: said["proj:wkt2"] ?? "",
    raw: said["geogaze:normalize"] === "none",
    scales: said["geogaze:scales"] ?? {},
    tiling: said["geogaze:tiling"] ?? null,
    tiles: item.assets.tiles?.href ?? null,
    scene: (item.assets.backdrop ?? item.assets["backdrop-first"])?.href ?? null,
    sceneAfter: item.assets["backdrop-second"]?.href ?? null,
    cell: said.gsd,
    transform: said["proj:transform"].slice(0, 6),
    rows,
    cols,
  };
  const read = (name, id) => layerOf(job, id, item.assets[name], said.renders?.[name] ?? {});
  const prefix = compared ? DIFFERENCE : HEAT;
  const titles = Object.keys(item.assets)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  job.layers = titles.map((title) => ({ ...read(prefix + title, tag + title), name: title }));
  for (const layer of job.layers) layer.scale = job.raw ? 1 : (job.scales[layer.name] ?? null);
  for (const layer of compared ? job.layers : []) {
    layer.pair = SIDES.map((side, i) => read(`${side}-${layer.name}`, `${job.compared.names[i]}: ${layer.name}`));
    layer.figures = said["geogaze:classes"]?.[layer.name] ?? null;
  }
  if (!job.layers.length) throw new Error("item.json lists no layer of heat");
  return job;
}

function layerOf(job, id, asset, render) {
  const [low, high] = render.rescale?.[0] ?? [0, 1];
  return {
    id,
    name: id,
    job,
    href: asset.href,
    low,
    high,
    render,
    scale: null,
    pair: null, // the two that a difference is of
    share: "geogaze:highest_share" in asset, // of a tile's pixels, where the model labels these
    sure: asset["geogaze:highest_share"] ?? asset["geogaze:highest_probability"] ?? null,
    best: asset["geogaze:best_of_tiles"] ?? null,
    present: asset["geogaze:in_tiles"] ?? null,
  };
}

/** Layers with most to show first: best class of many tiles, then by how sure, then by name. */
export function byStanding(layers) {
  const weight = (layer) => layer.figures?.changed_area_m2 ?? layer.best ?? layer.present ?? -1;
  return [...layers].sort(
    (one, other) =>
      weight(other) - weight(one) ||
      (other.sure ?? -1) - (one.sure ?? -1) ||
      one.name.localeCompare(other.name),
  );
}

/** What the model says of a layer, in words. */
export function standingOf(layer) {
  if (layer.figures) return changesOf(layer, true);
  const words = [];
  const said = layer.share ? "share of pixels" : "probability";
  if (layer.sure !== null) words.push(`${said} up to ${layer.sure.toFixed(2)}`);
  const count = layer.best ?? layer.present;
  if (count !== null) words.push(`${layer.best === null ? "in" : "best of"} ${tilesOf(count)}`);
  return words.join(", ");
}

/** The same where there is little room. */
export function shortStandingOf(layer) {
  if (layer.figures) return changesOf(layer, false);
  const count = layer.best ?? layer.present;
  const words = [layer.sure?.toFixed(2), count === null ? null : tilesOf(count)];
  return words.filter((word) => word !== null && word !== undefined).join(" · ");
}

/** What has changed, at the threshold that the comparison was made with. */
function changesOf({ figures: { changes, correlation } }, whole) {
  const words = [
    `${counted(changes.appeared)} new`,
    `${counted(changes.vanished)} gone`,
  ];
  if (whole && correlation !== null) words.push(`correlation ${correlation.toFixed(3)}`);
  return words.join(", ");
}

function tilesOf(count) {
  return count ? `${counted(count)} tile${count === 1 ? "" : "s"}` : "no tile";
}
