// The map, or two of them beside each other, of one view.

import { bearingOfUp } from "./affine.js";
import { heatSource, heatStyle, projectionOf, sceneSource } from "./layers.js";

/**
 * Make the maps of a job.
 *
 * @param {object} job - the main one.
 * @param {object} state - see state.js.
 * @param {(id: string) => object | null} layerOf - a layer by its id.
 * @param {(problem: Error) => void} tell - is told what could not be shown.
 */
export function makeMap(job, state, layerOf, tell) {
  const projection = projectionOf(job);
  const extent = [0, -job.rows, job.cols, 0];
  const view = new ol.View({
    projection,
    extent: ol.extent.buffer(extent, Math.max(job.rows, job.cols) / 2),
    showFullExtent: true,
    constrainOnlyCenter: true,
    rotation: turnOf(job),
    maxResolution: (4 * Math.max(job.rows, job.cols)) / 256,
    minResolution: 1 / 256,
    constrainRotation: false,
  });
  const left = onePane("map", view);
  const right = onePane("beside", view);
  left.map.addControl(new ol.control.ScaleLine({ minWidth: 80 }));

  const read = (layer, minus) =>
    heatSource(job, layer, minus, projection, state.get().blend === "smooth").catch(tell);

  let wanted = "";
  /** Show the first layer, or its difference; its source where that is another than before. */
  async function showFirst() {
    const { layer: a, other: b, mode, blend } = state.get();
    const [layer, minus] = [layerOf(a), mode === "minus" ? layerOf(b) : null];
    const now = [a, minus ? b : "", blend].join();
    if (now === wanted) return null;
    wanted = now;
    const source = await read(layer, minus);
    if (!source || now !== wanted) return null; // another has been chosen meanwhile
    left.showHeat(source, heatStyle(layer, minus, state.get().threshold));
    return source;
  }

  /** Show the other layer, where the mode has a place for it. */
  async function showOther() {
    const { other: b, mode } = state.get();
    const pane = { swipe: left.second, beside: right }[mode];
    const layer = pane && layerOf(b);
    for (const one of [left.second, right]) if (!layer || one !== pane) one.heat.setSource(null);
    const source = layer && (await read(layer, null));
    const still = state.get();
    if (!source || still.other !== b || still.mode !== mode) return;
    pane.showHeat(source, heatStyle(layer, null, still.threshold));
  }

  /** Show the first heat, then the scene below it; resolves when there is heat to see. */
  async function start() {
    const source = await showFirst();
    const drawn = source ? drawnFirst(left.heat, source) : null;
    showOther().then(arrange);
    await drawn;
    if (!job.scene) return;
    const showScene = (scene) => [left, right].forEach((pane) => pane.scene.setSource(scene));
    sceneSource(job, projection).then(showScene).catch(tell);
  }

  function arrange() {
    const { mode, opacity, threshold } = state.get();
    document.getElementById("maps").dataset.mode = mode;
    for (const pane of [left, left.second, right]) {
      pane.heat.setOpacity(opacity);
      if (pane.heat.getSource()) pane.heat.updateStyleVariables({ threshold });
    }
    left.map.updateSize();
    right.map.updateSize();
    left.map.render();
  }

  clip(left.heat, () => (state.get().mode === "swipe" ? [0, state.get().divider] : null));
  clip(left.second.heat, () => [state.get().divider, 1]);
  state.on(["layer", "other", "mode", "blend"], () => {
    arrange();
    Promise.all([showFirst(), showOther()]).then(arrange);
  });
  state.on(["opacity", "threshold", "divider"], arrange);
  return { map: left.map, second: right.map, view, extent, start };
}

/** Resolves when a layer has first drawn a tile of its source, or there is none to draw. */
function drawnFirst(layer, source) {
  return new Promise((done) => {
    source.once("tileloadend", () => layer.once("postrender", done));
    source.once("tileloaderror", done);
  });
}

/** How far the map is turned so that north is up; 0 where it nearly is. */
function turnOf(job) {
  const turn = bearingOfUp(job.transform);
  return Math.abs(turn) > 0.002 ? turn : 0;
}

function onePane(target, view) {
  const scene = new ol.layer.WebGLTile({ cacheSize: 128 });
  const pane = heatPane();
  const second = heatPane();
  const map = new ol.Map({
    target,
    view,
    layers: [scene, pane.heat, second.heat],
    controls: [],
    interactions: ol.interaction.defaults({ altShiftDragRotate: false, pinchRotate: false }),
  });
  return { map, scene, second, ...pane };
}

function heatPane() {
  const heat = new ol.layer.WebGLTile({ style: { color: [0, 0, 0, 0] } });
  return {
    heat,
    showHeat(source, style) {
      heat.setStyle(style);
      heat.setSource(source);
    },
  };
}

/** Draw a layer only between two shares of the map's width; of none, all of it. */
function clip(layer, between) {
  const part = (event) => {
    const [start, stop] = between() ?? [0, 1];
    const gl = event.context;
    const [width, height] = [gl.canvas.width, gl.canvas.height];
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(Math.round(start * width), 0, Math.round((stop - start) * width), height);
  };
  layer.on("prerender", part);
  layer.on("postrender", (event) => event.context.disable(event.context.SCISSOR_TEST));
}
