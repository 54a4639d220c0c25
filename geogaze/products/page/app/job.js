// A job as its STAC Item tells it: layers, how to draw them, and what the model says of each.

const HEAT = "heat-";

/** Read a job's Item. `tag` goes before the ids of its layers, so that two jobs' do not mix. */
export async function readJob(folder, tag = "") {
  const item = await folder.json("item.json");
  const said = item.properties;
  if (!said || !("geogaze:model" in said)) throw new Error("item.json describes no job of geogaze");
  const [rows, cols] = said["proj:shape"];
  const job = {
    folder,
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
    scene: item.assets.backdrop?.href ?? null,
    cell: said.gsd,
    transform: said["proj:transform"].slice(0, 6),
    rows,
    cols,
  };
  job.layers = Object.entries(item.assets)
    .filter(([name]) => name.startsWith(HEAT))
    .map(([name, asset]) => layerOf(job, name, asset, said.renders?.[name] ?? {}, tag));
  if (!job.layers.length) throw new Error("item.json lists no layer of heat");
  return job;
}

function layerOf(job, name, asset, render, tag) {
  const title = name.slice(HEAT.length);
  const [low, high] = render.rescale?.[0] ?? [0, 1];
  return {
    id: tag + title,
    name: title,
    job,
    href: asset.href,
    low,
    high,
    render,
    scale: job.raw ? 1 : (job.scales[title] ?? null),
    share: "geogaze:highest_share" in asset, // of a tile's pixels, where the model labels these
    sure: asset["geogaze:highest_share"] ?? asset["geogaze:highest_probability"] ?? null,
    best: asset["geogaze:best_of_tiles"] ?? null,
    present: asset["geogaze:in_tiles"] ?? null,
  };
}

/** Layers with most to show first: best class of many tiles, then by how sure, then by name. */
export function byStanding(layers) {
  const weight = (layer) => layer.best ?? layer.present ?? -1;
  return [...layers].sort(
    (one, other) =>
      weight(other) - weight(one) ||
      (other.sure ?? -1) - (one.sure ?? -1) ||
      one.name.localeCompare(other.name),
  );
}

/** What the model says of a layer, in words. */
export function standingOf(layer) {
  const words = [];
  const said = layer.share ? "share of pixels" : "probability";
  if (layer.sure !== null) words.push(`${said} up to ${layer.sure.toFixed(2)}`);
  const count = layer.best ?? layer.present;
  if (count !== null) words.push(`${layer.best === null ? "in" : "best of"} ${tilesOf(count)}`);
  return words.join(", ");
}

/** The same where there is little room. */
export function shortStandingOf(layer) {
  const count = layer.best ?? layer.present;
  const words = [layer.sure?.toFixed(2), count === null ? null : tilesOf(count)];
  return words.filter((word) => word !== null && word !== undefined).join(" · ");
}

function tilesOf(count) {
  return count ? `${count.toLocaleString("en")} tile${count === 1 ? "" : "s"}` : "no tile";
}
