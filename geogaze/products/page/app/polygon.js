// The balance of heat inside and outside of a polygon, by layer.

import { applyAffine, invertAffine } from "../shared/affine.js";
import { $, make } from "../shared/elements.js";
import { balanceOf, fillRing } from "./balance.js";
import { areaOf } from "./figures.js";
import { wholeOf } from "./heat.js";
import { barOf, headOf } from "./panels.js";

/** Show the balance of `state.polygon` in its panel. */
export function makeBalance(job, layers, state, tell) {
  const panel = $("balance");
  const close = () => state.set({ polygon: null });
  let asked = 0;
  async function show() {
    const { polygon, layer: shown } = state.get();
    const number = ++asked;
    panel.hidden = !polygon;
    if (!polygon) return;
    const read = await Promise.all(
      layers().map(async (layer) => {
        const whole = await wholeOf(layer);
        return { layer, every: whole.every, balance: balanceOf(whole, insideOf(layer, whole, polygon)) };
      }),
    ).catch(tell);
    if (!read || number !== asked) return;
    const known = read.filter(({ balance }) => balance);
    panel.replaceChildren(headOf("In the polygon", close), ...(known.length ? tableOf(known, shown, job) : [
      make("p", {}, "It holds no cell that was looked at, or all of them."),
    ]));
  }
  state.on(["polygon", "layer"], show);
  return show;
}

function insideOf(layer, { width, height }, polygon) {
  const toCells = invertAffine(layer.job.transform);
  const [across, down] = [width / layer.job.cols, height / layer.job.rows];
  const ring = polygon.map((at) => applyAffine(toCells, at)).map(([x, y]) => [x * across, y * down]);
  return fillRing(ring, width, height);
}

function tableOf(known, shown, job) {
  const sorted = [...known].sort((one, other) => other.balance.lift - one.balance.lift);
  const rows = sorted.map(({ layer, balance }) =>
    make(
      "tr",
      { "data-layer": layer.id, "data-share": String(balance.share), class: layer.id === shown ? "shown" : "" },
      make("th", { scope: "row", title: layer.name }, layer.id),
      barOf(balance.share),
      make("td", {}, `${(100 * balance.share).toFixed(1)} %`),
      make("td", {}, `${balance.lift.toFixed(2)} ×`),
    ),
  );
  const { balance, every } = sorted[0];
  const head = make("tr", {}, ...["layer", "", "of its heat", "density"].map((word) => make("th", { scope: "col" }, word)));
  const area = areaOf(balance.cells * (every * job.cell) ** 2);
  const coarse = every > 1.01 ? ` Reckoned on means of ${every.toFixed(0)} × ${every.toFixed(0)} cells.` : "";
  return [
    make("p", { class: "faint" }, `${area} that were looked at. Density 1 × is the mean of the scene.${coarse}`),
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)),
  ];
}
