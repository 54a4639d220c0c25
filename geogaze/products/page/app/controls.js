// Sliders, modes and buttons, and what they say.

import { $, make } from "../shared/elements.js";
import { asGradient, differenceStops, stopsOf } from "./colours.js";
import { standingOf } from "./job.js";
import { reachOf } from "./layers.js";

/** Tie the controls to the state. */
export function makeControls(layers, layerOf, state) {
  for (const name of ["opacity", "threshold"]) {
    $(name).addEventListener("input", () => state.set({ [name]: Number($(name).value) }));
  }
  for (const radio of document.querySelectorAll('input[name="mode"]')) {
    radio.addEventListener("change", () => setMode(state, layers, radio.value));
  }
  $("other").addEventListener("change", () => state.set({ other: $("other").value }));
  $("blend").addEventListener("click", () => {
    state.set({ blend: state.get().blend === "cells" ? "smooth" : "cells" });
  });
  tieDivider(state);

  function fillOthers() {
    const options = layers().map((layer) => make("option", { value: layer.id }, layer.id));
    $("other").replaceChildren(make("option", { value: "" }, "the scene alone"), ...options);
    show();
  }

  function show() {
    const { layer: a, other: b, mode, opacity, threshold, blend, divider } = state.get();
    const [layer, other] = [layerOf(a), layerOf(b)];
    const compared = Boolean(layer?.pair);
    for (const name of ["minus", "second", "draw"]) $(name).hidden = compared;
    $("one").textContent = compared ? "Change" : "One";
    document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
    $("other-row").hidden = mode === "one" || compared;
    $("other").value = b;
    $("other").options[0].disabled = mode === "minus";
    $("blend").setAttribute("aria-pressed", String(blend === "cells"));
    $("divider").style.left = `${100 * divider}%`;
    $("divider").setAttribute("aria-valuenow", Math.round(100 * divider));
    $("opacity").value = opacity;
    $("opacity-told").value = `${Math.round(100 * opacity)} %`;
    if (!layer) return;
    const minus = mode === "minus" && other ? other : null;
    const reach = minus ? reachOf(layer, minus) : layer.high;
    const shown = layer.pair && mode !== "one" ? layer.pair[0] : layer;
    $("standing").textContent = standingOf(layer);
    Object.assign($("threshold"), { max: reach, step: reach / 100, value: threshold });
    $("threshold-told").value = Number(threshold.toPrecision(3));
    $("ramp").style.background = asGradient(minus ? differenceStops(reach) : stopsOf(shown));
    $("low").textContent = minus ? `−${short(reach)}, more B` : shown.pair ? "−1, gone" : short(shown.low);
    $("high").textContent = minus ? `more A, ${short(reach)}` : shown.pair ? "new, 1" : short(reach);
    $("unit").textContent = minus ? "A − B" : unitOf(layer, shown);
    const ends = mode === "one" ? ["", ""] : [shown.id, layer.pair?.[1].id ?? other?.id ?? "scene"];
    if (minus) ends.splice(0, 2, `A: ${layer.id}`, `B: ${other.id}`);
    $("pair").replaceChildren(...ends.map((name) => make("span", {}, name)));
  }
  state.on(null, show);
  return { fillOthers };
}

function unitOf(layer, shown) {
  if (layer.job.raw) return "evidence, logits";
  return `${shown.pair ? "change" : "heat"} of ${layer.pair ? layer.name : layer.id}`;
}

/** Change the mode; a difference needs another layer, so one is taken where none is chosen. */
export function setMode(state, layers, mode) {
  const { layer, other } = state.get();
  if (mode === "minus" && layers().some((one) => one.pair)) return;
  const needed = mode === "minus" && (!other || other === layer);
  const next = layers().find((one) => one.id !== layer);
  if (mode === "minus" && needed && !next) return;
  state.set(needed ? { mode, other: next.id } : { mode });
}

function tieDivider(state) {
  const divider = $("divider");
  const move = (at) => state.set({ divider: Math.min(0.98, Math.max(0.02, Number(at.toFixed(3)))) });
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus();
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const { left, width } = $("maps").getBoundingClientRect();
    move((event.clientX - left) / width);
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(state.get().divider + step);
  });
}

const short = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
