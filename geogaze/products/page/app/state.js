// What is looked at, and who wants to know when it changes.

export const USUAL = {
  layer: null, // id of the layer that is shown
  other: "", // id of the layer beside it; "" for the scene alone
  mode: "one", // one, swipe, beside or minus
  opacity: 0.85,
  threshold: 0,
  divider: 0.5, // where swipe divides the map, 0 at its left
  blend: "smooth", // or "cells"
  centre: null, // of the map, in the scene's CRS
  zoom: null,
  at: null, // the place that is asked about, in the scene's CRS
  polygon: null, // in the scene's CRS
  job: null, // address of a second job's folder
};

export function makeState(first) {
  const values = { ...USUAL, ...first };
  const listeners = [];
  return {
    get: () => values,
    /** Change some; whoever listens to one of them is told once. */
    set(changes) {
      const names = Object.keys(changes).filter((name) => values[name] !== changes[name]);
      if (!names.length) return;
      Object.assign(values, changes);
      for (const [wanted, listener] of listeners) {
        if (!wanted || names.some((name) => wanted.includes(name))) listener(values);
      }
    },
    /** Listen to changes of the names given, or of any. */
    on: (names, listener) => listeners.push([names, listener]),
  };
}
