// The page: a job's folder is read, shown, and asked.

import { $ } from "../shared/elements.js";
import { makeControls } from "./controls.js";
import { folderAt, folderOf } from "./folder.js";
import { heatOf } from "./heat.js";
import { byStanding, readJob } from "./job.js";
import { makeKeys } from "./keys.js";
import { placeAmong } from "./layers.js";
import { makeMap } from "./map.js";
import { makeMarks } from "./marks.js";
import { readLink, writeLink } from "./permalink.js";
import { makePlace } from "./place.js";
import { makeBalance } from "./polygon.js";
import { makeState, USUAL } from "./state.js";
import { makeStrip } from "./strip.js";

const SECOND = "2: "; // before ids of a second job's layers

function tell(problem) {
  $("message").textContent = `Something could not be read: ${problem.message ?? problem}.`;
  $("message").hidden = false;
}

async function start(folder) {
  const job = await readJob(folder);
  showFacts(job);
  const ordered = byStanding(job.layers);
  const known = new Map(ordered.map((layer) => [layer.id, layer]));
  const all = () => [...known.values()];
  const layerOf = (id) => known.get(id) ?? null;
  const linked = () => {
    const found = readLink(location.hash);
    if (!layerOf(found.layer)) delete found.layer;
    if (!layerOf(found.other)) delete found.other;
    if (!["one", "swipe", "beside", "minus"].includes(found.mode)) delete found.mode;
    if (found.mode === "minus" && !found.other) delete found.mode;
    return found;
  };
  const second = readLink(location.hash).job;
  if (second) await addJob(second).catch(tell);
  const link = { layer: ordered[0].id, ...linked() };
  const usual = { ...USUAL, threshold: job.compared?.level ?? USUAL.threshold };
  const state = makeState({ ...usual, ...link });
  heatOf(layerOf(link.layer)); // is asked for while the page is put together; all else waits for it

  const maps = makeMap(job, state, layerOf, tell);
  const marks = makeMarks(job, maps, layerOf, state, tell);
  const controls = makeControls(all, layerOf, state);
  const showWhole = () => maps.view.fit(maps.extent, { padding: [24, 24, 24, 24], duration: 200 });
  makeKeys({ state, layers: all, marks, showWhole, map: maps.map });
  const place = makePlace(job, all, state, tell);
  const balance = makeBalance(job, all, state, tell);
  tieView(maps, marks, state, usual, linked);
  $("controls").hidden = false;
  controls.fillOthers();
  const firstHeat = maps.start().then(() => performance.mark("first heat"));
  await firstHeat;
  makeStrip($("strip"), ordered, state, settled(maps.map));
  for (const show of [marks.show, place, balance]) show();

  async function addJob(address) {
    const second = await readJob(folderAt(address.replace(/[^/]*$/, "")), SECOND);
    if (job.compared || second.compared) throw new Error("A comparison stands alone: no other job is laid beside it");
    if (second.crs !== job.crs || second.wkt !== job.wkt) {
      throw new Error(`${address} is in ${second.crs || "another CRS"}, this job in ${job.crs || "one without a code"}`);
    }
    placeAmong(job, second.transform);
    for (const layer of second.layers) known.set(layer.id, layer);
  }
  $("second").querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = $("address").value;
    addJob(address).then(() => {
      controls.fillOthers();
      const same = layerOf(SECOND + state.get().layer) ?? all().find((layer) => layer.id.startsWith(SECOND));
      state.set({ job: address, other: same.id, mode: "swipe" });
    }, tell);
  });
}

function showFacts(job) {
  document.title = `${job.title} · geogaze`;
  $("title").textContent = job.title;
  const cell = `a cell is ${Number(job.cell.toPrecision(3))} m`;
  const pair = job.compared && job.compared.names.join(" → ");
  $("facts").textContent = [pair, job.method, `${job.layers.length} layer${job.layers.length === 1 ? "" : "s"}`, cell, job.crs]
    .filter(Boolean)
    .join(" · ");
  $("warnings").textContent = job.warnings.join(" ");
  $("warnings").hidden = !job.warnings.length;
}

/** Resolves when nothing is loading any more. */
function settled(map) {
  return new Promise((done) => {
    map.once("rendercomplete", done);
    map.render();
  });
}

/** The view starts as the link has it, and the link follows the view. */
function tieView({ map, view, extent }, marks, state, usual, linked) {
  const { centre, zoom } = state.get();
  map.updateSize();
  view.fit(extent, { size: map.getSize(), padding: [24, 24, 24, 24] });
  if (centre) view.setCenter(marks.fromScene(centre));
  if (zoom !== null) view.setResolution(2 ** -zoom);
  map.on("moveend", () => {
    state.set({ centre: marks.toScene(view.getCenter()), zoom: -Math.log2(view.getResolution()) });
  });
  let own = location.hash;
  state.on(null, (values) => {
    own = writeLink(values, usual);
    history.replaceState(null, "", own);
  });
  window.addEventListener("hashchange", () => {
    if (location.hash === own) return;
    const link = linked();
    if (link.centre) view.setCenter(marks.fromScene(link.centre));
    if (link.zoom !== undefined) view.setResolution(2 ** -link.zoom);
    state.set({ ...usual, layer: state.get().layer, ...link });
  });
}

if (location.protocol === "file:") {
  $("from-disk").hidden = false;
  $("title").textContent = "A job's folder";
  $("folder").addEventListener("change", () => {
    start(folderOf($("folder").files)).then(() => ($("from-disk").hidden = true), tell);
  });
} else {
  start(folderAt(".")).catch(tell);
}
