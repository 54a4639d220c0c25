// The area of interest: drawn on a map of the scene, or written. The field with GeoJSON holds it; the
// map and the four sides follow that, and write it.

import { boundsOf, planeOf, rectangle, ringsOf } from "./lonlat.js";
import { mapOf, openLayers } from "./maps.js";
import { $, say } from "./shared/elements.js";

const SIDES = ["west", "south", "east", "north"];
const DIGITS = 7; // of a degree: about a centimetre

let shown = null; // the map and its plane
let outlines = 0; // counts them: one may be asked for while the map's scripts are on their way
let changed = () => {};

/** Let an area be chosen; `told` hears each time that it is another. */
export function chooseArea(told) {
  changed = told;
  $("aoi").addEventListener("change", follow);
  for (const side of SIDES) $(side).addEventListener("change", takeSides);
  $("area-clear").addEventListener("click", () => write(null));
  $("area-rectangle").addEventListener("click", () => toggle("Rectangle"));
  $("area-polygon").addEventListener("click", () => toggle("Polygon"));
  $("area-map").addEventListener("keydown", (event) => event.key === "Escape" && stop());
}

/** The area as it is asked for: GeoJSON, what is written and is none, or nothing. */
export function areaAsked() {
  const text = $("aoi").value.trim();
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text; // the service says what is wrong with it
  }
}

/** Show the outline of a scene, GeoJSON in degrees; without one, say why there is none. */
export async function showFootprint(outline, why) {
  const number = ++outlines;
  stop();
  shown?.end();
  shown = null;
  $("area-box").hidden = !outline;
  say($("area-said"), outline ? null : why);
  if (!outline) return;
  const ol = await openLayers();
  if (number !== outlines) return;
  shown = mapOfScene(ol, outline);
  followOnMap();
}

/** What is written has changed: the sides and the map follow. */
function follow() {
  const bounds = boundsOf(areaAsked());
  SIDES.forEach((side, i) => ($(side).value = bounds ? Number(bounds[i].toFixed(DIGITS)) : ""));
  $("area-clear").disabled = !$("aoi").value.trim();
  followOnMap();
  changed();
}

function followOnMap() {
  shown?.show(areaAsked());
}

function write(area) {
  stop();
  $("aoi").value = area ? JSON.stringify(area) : "";
  follow();
}

/** The four sides make a rectangle once all are there. */
function takeSides() {
  const bounds = SIDES.map((side) => ($(side).value === "" ? NaN : Number($(side).value)));
  if (bounds.every(Number.isFinite)) write(rectangle(bounds));
}

function toggle(kind) {
  const begun = shown?.draws() === kind;
  stop();
  if (!begun) shown?.draw(kind);
  press();
}

function stop() {
  shown?.draw(null);
  press();
}

function press() {
  for (const kind of ["Rectangle", "Polygon"]) {
    $(`area-${kind.toLowerCase()}`).setAttribute("aria-pressed", String(shown?.draws() === kind));
  }
}

function mapOfScene(ol, outline) {
  const plane = planeOf(outline);
  const line = (color, width) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width }) });
  const fill = (color) => new ol.style.Style({ fill: new ol.style.Fill({ color }) });
  const corner = new ol.style.Style({
    image: new ol.style.Circle({ radius: 4.5, fill: new ol.style.Fill({ color: "#ffd24a" }), stroke: new ol.style.Stroke({ color: "#000a", width: 1.5 }) }),
  });
  const AREA = [fill("#ffd24a33"), line("#000a", 4), line("#ffd24a", 2)];

  const { map, whole } = mapOf(ol, $("area-map"), plane.extent, { metres: plane.metres });
  const onMap = (document) => ringsOf(document).map((rings) => new ol.Feature(new ol.geom.Polygon(rings.map(plane.to))));
  const scene = new ol.source.Vector({ features: onMap(outline) });
  map.addLayer(new ol.layer.Vector({ source: scene, style: [fill("#7f8fa02e"), line("#000a", 3.5), line("#fff", 1.5)] }));
  const source = new ol.source.Vector();
  map.addLayer(new ol.layer.Vector({ source, style: AREA }));

  const moving = new ol.interaction.Modify({ source, style: corner });
  moving.on("modifyend", () => write(drawn(source.getFeatures())));
  map.addInteraction(moving);
  let drawing = null;

  /** What is drawn, as GeoJSON; several polygons are one area. */
  function drawn(features) {
    const parts = features.map((feature) => feature.getGeometry().getCoordinates().map(plane.from));
    return parts.length === 1 ? { type: "Polygon", coordinates: parts[0] } : { type: "MultiPolygon", coordinates: parts };
  }

  $("area-whole").onclick = whole;
  return {
    show(area) {
      source.clear();
      source.addFeatures(onMap(area));
    },
    draws: () => drawing?.kind ?? null,
    draw(kind) {
      if (drawing) map.removeInteraction(drawing.interaction);
      drawing = null;
      if (!kind) return;
      const box = kind === "Rectangle" ? { type: "Circle", geometryFunction: ol.interaction.createBox() } : { type: "Polygon" };
      const interaction = new ol.interaction.Draw({ ...box, source: new ol.source.Vector(), style: [...AREA, corner] });
      interaction.on("drawend", ({ feature }) => {
        const area = drawn([feature]);
        setTimeout(() => write(area)); // or the double click that ends it would zoom
      });
      map.addInteraction(interaction);
      drawing = { kind, interaction };
    },
    end: () => map.setTarget(null),
  };
}
