// What is drawn on the map besides rasters: outlines of hotspots (and their list), the place, its tile,
// the polygon.

import { applyAffine, chainAffine, invertAffine } from "../shared/affine.js";
import { $ } from "../shared/elements.js";
import { areaOf, counted } from "./figures.js";
import { heatOf, wholeOf } from "./heat.js";
import { findPlaces, outline } from "./hotspots.js";
import { listPlaces, MOST } from "./places.js";
import { tileAt } from "./tiles.js";

const line = (color, width) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width }) });
const OUTLINE = [line("#000a", 3.5), line("#fff", 1.5)];
const POLYGON = [line("#000a", 4), line("#ffd24a", 2)];
const TILE = [line("#0008", 3), new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#fff", width: 1.5, lineDash: [5, 5] }) })];
const ring = (radius, color, width) =>
  new ol.style.Style({
    image: new ol.style.Circle({ radius, stroke: new ol.style.Stroke({ color, width }) }),
  });
const NEAR = 0.25; // cells a pixel: how near the map goes to a place of the list
const PLACE = [ring(7, "#000a", 4), ring(7, "#fff", 2)];

/** Put marks on the maps and keep them as the state is. */
export function makeMarks(job, { map, second, view }, layerOf, state, tell) {
  const toCells = invertAffine(job.transform);
  const onMap = ([col, row]) => [col, -row];
  const fromScene = (at) => onMap(applyAffine(toCells, at));
  const toScene = ([x, y]) => applyAffine(job.transform, [x, -y]);
  const source = new ol.source.Vector();
  for (const one of [map, second]) one.addLayer(new ol.layer.Vector({ source, zIndex: 9 }));
  const marks = new Map();
  const put = (name, geometry, style) => {
    if (marks.has(name)) source.removeFeature(marks.get(name));
    marks.delete(name);
    if (!geometry) return;
    const feature = new ol.Feature(geometry);
    feature.setStyle(style);
    source.addFeature(feature);
    marks.set(name, feature);
  };

  let asked = 0;
  async function showHotspots() {
    const { layer: id, threshold, mode } = state.get();
    const layer = layerOf(id);
    const number = ++asked;
    if (!layer || threshold <= 0 || mode === "minus") {
      put("hotspots", null);
      listPlaces([], 0);
      $("hotspots").textContent = mode === "minus" || threshold > 0 ? "" : "Raise the threshold to see hotspots.";
      return;
    }
    const whole = await wholeOf(layer).catch(tell);
    if (!whole || number !== asked) return;
    const { transform } = await heatOf(layer);
    const toMain = chainAffine(toCells, transform);
    const [across, down] = [layer.job.cols / whole.width, layer.job.rows / whole.height];
    const onMapOf = ([col, row]) => onMap(applyAffine(toMain, [col * across, row * down]));
    const parts = layer.pair ? [whole, { ...whole, values: whole.values.map((value) => -value) }] : [whole];
    const lines = parts.flatMap((part) => outline(part, threshold)).map((ends) => ends.map(onMapOf));
    put("hotspots", new ol.geom.MultiLineString(lines), OUTLINE);
    const found = parts.flatMap((part, i) =>
      findPlaces(part, threshold).map((place) => ({ ...place, peak: i ? -place.peak : place.peak })),
    );
    const each = across * down * layer.job.cell ** 2;
    const listed = found
      .sort((one, other) => other.cells - one.cells)
      .slice(0, MOST)
      .map(({ cells, peak, at }) => ({ area: areaOf(cells * each), peak, at: onMapOf(at) }));
    listPlaces(listed, found.length, (at) => {
      view.animate({ center: at, resolution: Math.min(view.getResolution(), NEAR), duration: 200 });
      state.set({ at: toScene(at) });
    });
    const places = found.length;
    const area = areaOf(found.reduce((sum, { cells }) => sum + cells, 0) * each);
    const coarse = whole.every > 1.01 ? ` on means of ${whole.every.toFixed(0)} × ${whole.every.toFixed(0)} cells` : "";
    $("hotspots").textContent = places
      ? `${counted(places)} ${layer.pair ? "change" : "hotspot"}${places === 1 ? "" : "s"}, ${area}${coarse}`
      : layer.pair
        ? "No change: nothing differs that much."
        : "No hotspot: nothing is that hot.";
  }

  function showPlace() {
    const { at } = state.get();
    put("place", at && new ol.geom.Point(fromScene(at)), PLACE);
    const tile = at && job.tiling ? tileAt(job, applyAffine(toCells, at)) : null;
    if (!tile) return put("tile", null);
    const [[top, left], side] = [tile.first, job.tiling.cells];
    const corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side], [left, top]];
    put("tile", new ol.geom.LineString(corners.map(onMap)), TILE);
  }

  function showPolygon() {
    const { polygon } = state.get();
    put("polygon", polygon && new ol.geom.Polygon([[...polygon, polygon[0]].map(fromScene)]), POLYGON);
  }

  const draw = new ol.interaction.Draw({ type: "Polygon", source: new ol.source.Vector(), style: [...POLYGON, ...PLACE] });
  let drawing = false;
  function setDrawing(wanted) {
    if (wanted === drawing) return;
    drawing = wanted;
    $("draw").setAttribute("aria-pressed", String(drawing));
    if (drawing) map.addInteraction(draw);
    else map.removeInteraction(draw);
  }
  draw.on("drawend", ({ feature }) => {
    const corners = feature.getGeometry().getCoordinates()[0].slice(0, -1);
    state.set({ polygon: corners.map(toScene), at: null });
    setTimeout(() => setDrawing(false)); // or the double click that ends it would zoom
  });
  for (const one of [map, second]) {
    one.on("click", ({ coordinate }) => drawing || state.set({ at: toScene(coordinate) }));
  }

  state.on(["layer", "threshold", "mode"], showHotspots);
  state.on(["at"], showPlace);
  state.on(["polygon"], showPolygon);
  return {
    show: () => Promise.all([showHotspots(), showPlace(), showPolygon()]),
    toggleDrawing: () => setDrawing(!drawing),
    stopDrawing: () => setDrawing(false),
    askMiddle: () => state.set({ at: toScene(view.getCenter()) }),
    fromScene,
    toScene,
  };
}
