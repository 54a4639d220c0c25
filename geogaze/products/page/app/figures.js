// Figures in words.

/** A number as exact as a float32 is, without digits that say nothing. */
export function exact(value) {
  return Number.isNaN(value) ? "not looked at" : String(Number(value.toPrecision(7)));
}

/** A number with commas; toLocaleString takes longer to begin than the first heat may. */
export function counted(number) {
  const [whole, ...part] = String(number).split(".");
  return [whole.replace(/\B(?=(\d{3})+(?!\d))/g, ","), ...part].join(".");
}

/** Square metres in words. */
export function areaOf(squareMetres) {
  if (squareMetres >= 1e5) return `${(squareMetres / 1e6).toPrecision(3)} km²`;
  return `${counted(Number(squareMetres.toPrecision(3)))} m²`;
}
