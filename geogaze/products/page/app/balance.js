// What heat lies inside a polygon, and what outside of it.

/** Which cells' centres lie in a ring of (col, row), by rows: 1 inside, 0 outside. */
export function fillRing(ring, width, height) {
  const inside = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const y = row + 0.5;
    const cuts = [];
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [[x0, y0], [x1, y1]] = [ring[j], ring[i]];
      if (y0 <= y !== y1 <= y) cuts.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
    }
    cuts.sort((one, other) => one - other);
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      const first = Math.max(0, Math.ceil(cuts[k] - 0.5));
      const stop = Math.min(width, Math.ceil(cuts[k + 1] - 0.5));
      if (first < stop) inside.fill(1, row * width + first, row * width + stop);
    }
  }
  return inside;
}

/**
 * Of positive heat: `share`, that of all heat that lies inside; `lift`, how much denser it is there
 * than everywhere; means `inside` and `outside`. Null where one of them holds no cell.
 */
export function balanceOf({ values }, inside) {
  const sum = [0, 0];
  const count = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== values[i]) continue;
    count[inside[i]]++;
    sum[inside[i]] += Math.max(values[i], 0);
  }
  if (!count[0] || !count[1]) return null;
  const share = sum[0] + sum[1] > 0 ? sum[1] / (sum[0] + sum[1]) : 0;
  return {
    share,
    lift: share / (count[1] / (count[0] + count[1])),
    inside: sum[1] / count[1],
    outside: sum[0] / count[0],
    cells: count[1],
  };
}
