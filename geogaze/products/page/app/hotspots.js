// Places above a threshold, live: their outline along cells, how many there are, and their area.

/**
 * The outline of the cells of at least `threshold`, as straight lines in cells:
 * `[[col, row], [col, row]]` each, horizontal ones as long as they go.
 */
export function outline({ values, width, height }, threshold) {
  const hot = (col, row) =>
    col >= 0 && row >= 0 && col < width && row < height && values[row * width + col] >= threshold;
  const lines = [];
  const sweep = (across, along, differs, line) => {
    for (let i = 0; i <= across; i++) {
      for (let j = 0, from = -1; j <= along; j++) {
        const edge = j < along && differs(i, j);
        if (edge && from < 0) from = j;
        if (!edge && from >= 0) {
          lines.push(line(i, from, j));
          from = -1;
        }
      }
    }
  };
  sweep(height, width, (row, col) => hot(col, row - 1) !== hot(col, row), (row, from, to) => [[from, row], [to, row]]);
  sweep(width, height, (col, row) => hot(col - 1, row) !== hot(col, row), (col, from, to) => [[col, from], [col, to]]);
  return lines;
}

/**
 * The places (cells that touch by a side), largest first: `{ cells, peak, at: [col, row] }` each, where
 * `at` is the middle of the cell that the peak is in.
 */
export function findPlaces({ values, width, height }, threshold) {
  const of = new Int32Array(width * height).fill(-1);
  const root = (i) => {
    while (of[i] !== i) i = of[i] = of[of[i]];
    return i;
  };
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] >= threshold)) continue;
    of[i] = i;
    for (const near of [i % width ? i - 1 : -1, i - width]) {
      if (near < 0 || of[near] < 0) continue;
      const [one, other] = [root(i), root(near)];
      if (one !== other) of[one] = other;
    }
  }
  const places = new Map();
  for (let i = 0; i < values.length; i++) {
    if (of[i] < 0) continue;
    const first = root(i);
    if (!places.has(first)) places.set(first, { cells: 0, peak: -Infinity, at: null });
    const place = places.get(first);
    place.cells++;
    if (values[i] > place.peak) Object.assign(place, { peak: values[i], at: [(i % width) + 0.5, Math.floor(i / width) + 0.5] });
  }
  return [...places.values()];
}
