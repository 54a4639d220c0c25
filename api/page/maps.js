// Maps without a basemap: whatever plane is given, north up, by OpenLayers.

import { place } from "./service.js";

let loaded = null;

/** OpenLayers, fetched once, by the first who needs it. */
export function openLayers() {
  loaded ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = place("page/libraries/ol.js");
    script.onload = () => done(window.ol);
    script.onerror = () => failed(new Error("The map's scripts do not come."));
    document.head.append(script);
  });
  return loaded;
}

/**
 * A map of a plane: `{ map, whole }`, where `whole()` shows all of it.
 *
 * @param {Element} target - takes the keyboard's focus.
 * @param {number[]} extent - [left, bottom, right, top] of what is shown.
 * @param {{ metres: number, turn: number, beside: number }} plane - metres of a unit on the ground; how far east
 * of north its up is; pixels at the right that something lies over.
 */
export function mapOf(ol, target, extent, { metres = 1, turn = 0, beside = 0 }) {
  const side = Math.max(extent[2] - extent[0], extent[3] - extent[1]);
  const view = new ol.View({
    projection: new ol.proj.Projection({
      code: "plane",
      units: "m",
      metersPerUnit: metres,
      extent,
      getPointResolution: (resolution) => resolution * metres,
    }),
    extent: ol.extent.buffer(extent, side / 2),
    showFullExtent: true,
    constrainOnlyCenter: true,
    constrainRotation: false,
    rotation: turn,
    maxResolution: side / 60,
    minResolution: side / 200_000,
  });
  const map = new ol.Map({
    target,
    view,
    controls: [new ol.control.ScaleLine({ minWidth: target.clientWidth < 400 ? 40 : 80 })],
    interactions: ol.interaction.defaults({ altShiftDragRotate: false, pinchRotate: false }),
  });
  const whole = () => view.fit(extent, { size: map.getSize(), padding: [26, 26 + beside, 26, 26] });
  whole();
  let seen = Boolean(map.getSize());
  new ResizeObserver(() => {
    map.updateSize();
    if (!seen && map.getSize()?.[0]) whole(); // it was hidden before
    seen ||= Boolean(map.getSize()?.[0]);
  }).observe(target);
  return { map, whole };
}
