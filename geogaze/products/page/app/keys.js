// Keys that work everywhere but where text is written, and the choice of dark or light.

import { setMode } from "./controls.js";
import { $ } from "./elements.js";

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
    t: toggleTheme,
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
  $("theme").addEventListener("click", toggleTheme);
  $("keys").addEventListener("click", () => $("help").showModal());
}

const root = document.documentElement;

/** Dark or light as the system is, until somebody chooses. */
export function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", () => (root.dataset.theme = dark.matches ? "dark" : "light"));
}

function toggleTheme() {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
}
