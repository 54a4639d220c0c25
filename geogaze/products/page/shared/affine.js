// Affine transforms in GDAL's order of meaning: x = a·col + b·row + c, y = d·col + e·row + f.

export function applyAffine([a, b, c, d, e, f], [col, row]) {
  return [a * col + b * row + c, d * col + e * row + f];
}

export function invertAffine([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** First `inner`, then `outer`. */
export function chainAffine(outer, inner) {
  const [a, b, c, d, e, f] = outer;
  const [g, h, i, j, k, l] = inner;
  return [
    a * g + b * j, a * h + b * k, a * i + b * l + c,
    d * g + e * j, d * h + e * k, d * i + e * l + f,
  ];
}

/** How far a grid's upward direction points east of north, in radians. */
export function bearingOfUp([, b, , , e]) {
  return Math.atan2(-b, -e);
}
