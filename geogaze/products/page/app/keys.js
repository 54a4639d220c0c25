// Keys that work everywhere but where text is written.

import { $ } from "../shared/elements.js";
import { setMode } from "./controls.js";

const MODES = { 1: "one", 2: "swipe", 3: "beside", 4: "minus" };

export function makeKeys({ state, layers, marks, showWhole, map }) {
  const step = (by) => {
    const all = layers().map((layer) => layer.id);
    const at = all.indexOf(state.get().layer);
    state.set({ layer: all[Math.min(all.length - 1, Math.max(0, at + by))] });
  };
  const raise = (by) => {
    const { max } = $("threshold");
    const threshold = state.get().threshold + by * max;
    state.set({ threshold: Number(Math.min(max, Math.max(0, threshold)).toPrecision(4)) });
  };
  const clear = () => {
    marks.stopDrawing();
    state.set({ at: null, polygon: null });
  };
  const keys = {
    "[": () => step(-1),
    "]": () => step(1),
    "<": () => raise(-0.05),
    ">": () => raise(0.05),
    "?": () => $("help").showModal(),
    0: showWhole,
    d: () => $("draw").hidden || marks.toggleDrawing(),
    t: () => $("theme").click(),
    Escape: clear,
  };
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest?.("input[type=url], select, dialog");
    if (writes || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target === map.getTargetElement()) return marks.askMiddle();
    if (event.key in MODES) return setMode(state, layers, MODES[event.key]);
    keys[event.key]?.();
  });
  $("draw").addEventListener("click", marks.toggleDrawing);
  $("whole").addEventListener("click", showWhole);
  $("keys").addEventListener("click", () => $("help").showModal());
}
