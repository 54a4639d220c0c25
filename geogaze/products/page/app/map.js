// The map, or two of them beside each other, of one view.

import { bearingOfUp } from "../shared/affine.js";
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

  /** What is shown first, what is taken from it, and what is shown in the other place. */
  function sides() {
    const { layer: a, other: b, mode } = state.get();
    const [layer, other] = [layerOf(a), layerOf(b)];
    const two = mode === "swipe" || mode === "beside";
    if (two && layer.pair) return [layer.pair[0], null, layer.pair[1]];
    return [layer, mode === "minus" ? other : null, two ? other : null];
  }

  let wanted = "";
  /** Show the first layer, or its difference; its source where that is another than before. */
  async function showFirst() {
    const [layer, minus] = sides();
    const now = [layer.id, minus?.id ?? "", state.get().blend].join();
    if (now === wanted) return null;
    wanted = now;
    const source = await read(layer, minus);
    if (!source || now !== wanted) return null; // another has been chosen meanwhile
    left.showHeat(source, heatStyle(layer, minus, state.get().threshold));
    return source;
  }

  /** Show the other layer, where the mode has a place for it. */
  async function showOther() {
    const { mode } = state.get();
    const pane = { swipe: left.second, beside: right }[mode];
    const layer = sides()[2];
    for (const one of [left.second, right]) if (!layer || one !== pane) one.heat.setSource(null);
    const source = layer && (await read(layer, null));
    if (!source || sides()[2] !== layer || state.get().mode !== mode) return;
    pane.showHeat(source, heatStyle(layer, null, state.get().threshold));
  }

  /** Show the first heat, then the scene below it; resolves when there is heat to see. */
  async function start() {
    const source = await showFirst();
    const drawn = source ? drawnFirst(left.heat, source) : null;
    showOther().then(arrange);
    await drawn;
    const show = (href, layers) =>
      sceneSource(job, href, projection)
        .then((scene) => layers.forEach((layer) => layer.setSource(scene)))
        .catch(tell);
    if (job.scene) show(job.scene, job.sceneAfter ? [left.scene] : [left.scene, right.scene]);
    if (job.sceneAfter) show(job.sceneAfter, [left.after, right.scene]);
  }

  function arrange() {
    const { mode, opacity, threshold } = state.get();
    document.getElementById("maps").dataset.mode = mode;
    for (const pane of [left, left.second, right]) {
      pane.heat.setOpacity(opacity);
      if (pane.heat.getSource()) pane.heat.updateStyleVariables({ threshold });
    }
    left.after.setVisible(mode === "swipe");
    left.map.updateSize();
    right.map.updateSize();
    left.map.render();
  }

  clip(left.heat, () => (state.get().mode === "swipe" ? [0, state.get().divider] : null));
  for (const layer of [left.second.heat, left.after]) clip(layer, () => [state.get().divider, 1]);
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
  const after = new ol.layer.WebGLTile({ cacheSize: 128, visible: false }); // of a comparison's second job
  const pane = heatPane();
  const second = heatPane();
  const map = new ol.Map({
    target,
    view,
    layers: [scene, after, pane.heat, second.heat],
    controls: [],
    interactions: ol.interaction.defaults({ altShiftDragRotate: false, pinchRotate: false }),
  });
  return { map, scene, after, second, ...pane };
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
