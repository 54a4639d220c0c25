// Colours of values: from the Item's render to the GPU, to thumbnails, to legends.

const DIVERGING = "coolwarm";
const maps = JSON.parse(document.getElementById("colormaps").textContent);

/** A layer's colours: `[value, [red, green, blue, alpha 0..1]]`, from its lowest value to its highest. */
export function stopsOf({ render, low, high }) {
  return stopsBetween(render.colormap_name, low, high);
}

/** Colours of a difference, from `-reach` to `reach`. */
export function differenceStops(reach) {
  return stopsBetween(DIVERGING, -reach, reach);
}

function stopsBetween(name, low, high) {
  const stops = maps[name] ?? maps.turbo;
  return stops.map(([at, r, g, b, a]) => [low + at * (high - low), [r, g, b, a / 255]]);
}

/** Stops as a CSS gradient. */
export function asGradient(stops) {
  const [low, high] = [stops[0][0], stops[stops.length - 1][0]];
  const parts = stops.map(([value, [r, g, b, a]]) => {
    const at = ((value - low) / (high - low)) * 100;
    return `rgb(${r} ${g} ${b} / ${a}) ${at.toFixed(1)}%`;
  });
  return `linear-gradient(90deg, ${parts.join(", ")})`;
}

export const SHADES = 256;

/** That many colours `[red, green, blue, alpha 0..1]` from the lowest stop to the highest. */
export function shadesOf(stops, opacity = 1) {
  const [low, high] = [stops[0][0], stops.at(-1)[0]];
  let above = 1;
  return Array.from({ length: SHADES }, (_, i) => {
    const value = low + (i / (SHADES - 1)) * (high - low);
    while (above < stops.length - 1 && stops[above][0] < value) above++;
    const [[from, first], [to, last]] = [stops[above - 1], stops[above]];
    const part = Math.min(1, Math.max(0, (value - from) / (to - from || 1)));
    const [r, g, b, a] = first.map((start, k) => start + part * (last[k] - start));
    return [Math.round(r), Math.round(g), Math.round(b), a * opacity];
  });
}
