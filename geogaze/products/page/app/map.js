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
    enableRotation: false,
  });
  const left = onePane("map", view);
  const right = onePane("beside", view);
  left.map.addControl(new ol.control.ScaleLine({ minWidth: 80 }));
  if (job.scene) {
    const showScene = (source) => [left, right].forEach((pane) => pane.scene.setSource(source));
    sceneSource(job, projection).then(showScene).catch(tell);
  }

  let wanted = "";
  async function showHeat() {
    const { layer: a, other: b, mode, blend } = state.get();
    const [first, second] = [layerOf(a), layerOf(b)];
    const minus = mode === "minus" ? second : null;
    const now = `${a} ${minus ? b : ""} ${blend}`;
    if (first && now !== wanted) {
      wanted = now;
      const source = await heatSource(job, first, minus, projection, blend === "smooth").catch(tell);
      if (source && now === wanted) left.showHeat(source, heatStyle(first, minus, state.get().threshold));
    }
    const pane = mode === "swipe" ? left.second : mode === "beside" ? right : null;
    if (pane && second) {
      const source = await heatSource(job, second, null, projection, blend === "smooth").catch(tell);
      if (source) pane.showHeat(source, heatStyle(second, null, state.get().threshold));
    } else {
      for (const other of [left.second, right]) other.heat.setSource(null);
    }
    arrange();
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
  state.on(["layer", "other", "mode", "blend"], showHeat);
  state.on(["opacity", "threshold", "divider"], arrange);
  return { map: left.map, second: right.map, view, extent, showHeat, firstHeat: drawnFirst(left.heat) };
}

/** Resolves when a layer has first drawn a tile of its own. */
function drawnFirst(layer) {
  return new Promise((done) => {
    layer.once("change:source", () => {
      layer.getSource().once("tileloadend", () => layer.once("postrender", done));
    });
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
