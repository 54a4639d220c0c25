// Polygons in longitude and latitude, and a plane to draw them on: degrees, east and west as wide as
// they are in the middle.

const DIGITS = 7; // of a degree: about a centimetre
const METRES = 111_320; // a degree of latitude
const LEAST = 0.01; // of a cosine: near a pole the plane is still one

/** The polygons of a GeoJSON document, `[ring, …]` each; of what is none, none. */
export function ringsOf(document) {
  if (!document || typeof document !== "object") return [];
  const { type, coordinates } = document;
  const found = {
    Polygon: () => [coordinates],
    MultiPolygon: () => coordinates,
    Feature: () => ringsOf(document.geometry),
    FeatureCollection: () => document.features.flatMap(ringsOf),
    GeometryCollection: () => document.geometries.flatMap(ringsOf),
  }[type];
  try {
    return (found?.() ?? []).filter((rings) => rings.flat().every((at) => at.slice(0, 2).every(Number.isFinite)));
  } catch {
    return []; // the service says what is wrong with it
  }
}

/** West, south, east and north of a GeoJSON document; null where it holds no polygon. */
export function boundsOf(document) {
  const corners = ringsOf(document).flat(2);
  if (!corners.length) return null;
  const [lons, lats] = [0, 1].map((axis) => corners.map((at) => at[axis]));
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

/** A rectangle, as GeoJSON. */
export function rectangle([west, south, east, north]) {
  return { type: "Polygon", coordinates: [[[west, south], [east, south], [east, north], [west, north], [west, south]]] };
}

/**
 * A plane around an outline: `to` and `from` lead rings there and back, `metres` is its unit. What
 * lies on both sides of the date line lies together.
 */
export function planeOf(outline) {
  const lons = ringsOf(outline).flat(2).map(([lon]) => lon);
  const torn = ringsOf(outline).length > 1 && Math.min(...lons) < -179 && Math.max(...lons) > 179;
  const start = torn ? Math.min(...lons.filter((lon) => lon > 0)) : -180;
  const near = (lon) => (lon < start ? lon + 360 : lon);
  const [, south, , north] = boundsOf(outline);
  const across = Math.max(LEAST, Math.cos((((south + north) / 2) * Math.PI) / 180));
  const to = (ring) => ring.map(([lon, lat]) => [near(lon) * across, lat]);
  const from = (ring) => ring.map(([x, y]) => [x / across, y].map((value) => Number(value.toFixed(DIGITS))));
  const [xs, ys] = [0, 1].map((axis) => ringsOf(outline).flatMap((rings) => rings.flatMap(to)).map((at) => at[axis]));
  return { extent: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)], metres: METRES, to, from };
}
