// The heat of a job at work on a map: what its units have done lies there a moment later.

import { mapOf, openLayers } from "./maps.js";
import { ask, place } from "./service.js";
import { bearingOfUp } from "./shared/affine.js";
import { $, make } from "./shared/elements.js";

const [WIDE, LEGEND] = [700, 210]; // pixels of a map that has room beside its legend, and of that
const GONE = new Set([404, 410]); // as for a moment at a job's end

/**
 * A map of a job: `{ more, end }`. `more(tiles)` says that so many tiles are done, `end()` that it
 * shall be looked at no longer. `shown` is told when there is something to see, `trouble` a sentence
 * where it cannot be shown.
 */
export function growingOf(job, { shown, trouble }) {
  const path = `jobs/${job}/so-far`;
  let [wanted, asking, ended] = [0, false, false];
  let making = null; // the promise of the map
  let last = null; // what was last told of the heat

  /** Ask until what is shown is all there is; one question at a time, however much is said. */
  async function more(tiles) {
    wanted = Math.max(wanted, tiles);
    if (asking || ended) return;
    asking = true;
    try {
      for (let left = 1; !ended && (left > 0 || wanted > 0); ) {
        wanted = 0;
        const told = await ask(path);
        left = told.left;
        if (told.tiles) await show(told);
      }
    } catch (refused) {
      if (!GONE.has(refused.status) && !ended) trouble(refused.message);
    } finally {
      asking = false;
    }
  }

  async function show(told) {
    making ??= makeMap(path, told).catch((problem) => {
      making = null; // the next time it may come
      throw problem;
    });
    const view = await making;
    if (ended) return;
    const first = last === null;
    const same = !first && last.tiles === told.tiles;
    last = told;
    if (first) fillLayers();
    if (first) shown();
    if (same) return;
    await Promise.all([view.showScene(told), showHeat()]);
    await view.drawn();
    $("growing").dataset.tiles = told.tiles;
  }

  function fillLayers() {
    const choice = $("growing-layer");
    const warmest = [...last.layers].sort((one, other) => other.peak - one.peak)[0];
    choice.replaceChildren(...last.layers.map(({ name }) => make("option", { value: name }, name)));
    choice.value = warmest.name;
    choice.onchange = showHeat;
    $("growing-ramp").style.backgroundImage = `linear-gradient(90deg, ${last.colours.join(", ")})`;
  }

  async function showHeat() {
    const view = await making;
    const layer = last.layers.find(({ name }) => name === $("growing-layer").value);
    $("growing-peak").textContent = layer.peak ? `highest so far: ${Number(layer.peak.toPrecision(3))}` : "none so far";
    await view.showHeat(last, layer.name);
  }

  return {
    more,
    end() {
      ended = true;
      making?.then((view) => view.end(), () => {});
      making = last = null;
    },
  };
}

async function makeMap(path, told) {
  const ol = await openLayers();
  const target = $("growing-map");
  $("growing").hidden = false; // or it has no size
  const extent = [0, -told.height, told.width, 0];
  const turn = bearingOfUp(told.transform);
  const beside = target.clientWidth > WIDE ? LEGEND : 0;
  const plane = { metres: told.step, turn: Math.abs(turn) > 0.002 ? turn : 0, beside };
  const { map, whole } = mapOf(ol, target, extent, plane);
  const [scene, heat] = [new ol.layer.Image(), new ol.layer.Image()];
  const edge = new ol.Feature(new ol.geom.Polygon([[[0, 0], [told.width, 0], [told.width, -told.height], [0, -told.height], [0, 0]]]));
  edge.setStyle(new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#ffffff59", width: 1.5, lineDash: [6, 5] }) }));
  const outline = new ol.layer.Vector({ source: new ol.source.Vector({ features: [edge] }) });
  for (const layer of [scene, heat, outline]) map.addLayer(layer);
  $("growing-whole").onclick = whole;
  const opacity = $("growing-opacity");
  opacity.oninput = () => heat.setOpacity(Number(opacity.value));
  opacity.oninput();

  /** Put a picture in a layer's place once it is there, so that nothing flickers. */
  async function put(layer, name, [left, top], { rows, cols, tiles }) {
    const url = place(`${path}/${name}?tiles=${tiles}`);
    const picture = new Image();
    picture.src = url;
    if (!(await picture.decode().then(() => true, () => false))) return; // what is shown stays
    const imageExtent = [left, top - rows, left + cols, top];
    layer.setSource(new ol.source.ImageStatic({ url, imageExtent, projection: map.getView().getProjection() }));
  }
  return {
    showScene: (now) => put(scene, "scene.jpg", [0, 0], now),
    showHeat: (now, name) => put(heat, `heat/${encodeURIComponent(name)}.png`, [now.off, -now.off], now),
    drawn: () =>
      new Promise((done) => {
        map.once("rendercomplete", done);
        map.render();
      }),
    end() {
      map.setTarget(null);
      $("growing").hidden = true;
    },
  };
}
