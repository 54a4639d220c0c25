"""Where a layer lies: the ways between its own CRS and longitude and latitude (CRS84)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from shapely import affinity

from geogaze.errors import InvalidRequest
from geogaze.gis.geopackage import Bounds, Layer
from geogaze.gis.selection import Area

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_SAMPLES = 33  # places along a side of what a layer covers
_DECIMALS = 9  # of degrees: a tenth of a millimetre
_DECIMALS_OF_UNITS = 4
_INSET = 1e-3  # of a box, so that it lies within sides that bend
_ROOM = 0.02  # of what a layer covers, around it: between places may lie some more

Places = NDArray[np.float64]
"""(n, 2)."""


@dataclass(frozen=True)
class Frame:
    """A layer's place on the Earth."""

    layer: Layer

    def check(self) -> None:
        """See whether it has one.

        Raises:
            InvalidRequest: it has none.
        """
        if self.layer.bounds is not None:
            _ = self._covered

    @property
    def uris(self) -> list[str]:
        """The CRSs in which features are told: CRS84, and the layer's own where it has a code."""
        return [CRS84, *([self.own_uri] if self.own_uri else ())]

    @property
    def own_uri(self) -> str | None:
        """The URI of the layer's own CRS."""
        code = self.layer.code
        return code and f"http://www.opengis.net/def/crs/EPSG/0/{code.partition(':')[2]}"

    @cached_property
    def bbox(self) -> Bounds | None:
        """What its features cover in degrees, or a little more; west beyond east where they lie
        across the 180th meridian. None where there are no features.
        """
        if self.layer.bounds is None:
            return None
        west, south, east, north = self._covered
        if east - west >= 360:
            west, east = -180.0, 180.0
        bbox = (_wrapped(west), max(south, -90.0), _wrapped(east), min(north, 90.0))
        return tuple(round(edge, _DECIMALS) for edge in bbox)  # type: ignore[return-value]

    def told(self, shapes: NDArray[Any], uri: str) -> list[dict[str, Any] | None]:
        """Geometries (n,) as GeoJSON has them, in a CRS; None where they lie off the Earth."""
        if not len(shapes):
            return []
        if uri == CRS84:
            turned = shapely.transform(shapes, self._degrees)
            shapes = np.array([_cut(shape) for shape in turned], dtype=object)
        elif self._swapped:
            shapes = shapely.transform(shapes, lambda xy: xy[:, ::-1])
        digits = _DECIMALS if uri == CRS84 or self._crs.is_geographic else _DECIMALS_OF_UNITS
        shapes = shapely.transform(shapes, lambda xy: xy.round(digits))
        there = np.isfinite(shapely.bounds(shapes)).all(axis=1)
        return [
            shapely.geometry.mapping(shape) if known else None
            for shape, known in zip(shapes, there, strict=True)
        ]

    def area(self, shape: shapely.Geometry, uri: str) -> Area | None:
        """A shape given in a CRS, in the layer's own; None where it covers the whole layer."""
        bounds = self.layer.bounds
        if bounds is None:
            return None
        if uri != CRS84:
            if self._swapped:
                shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
            is_box = shape.equals(shape.envelope)
            return Area(shape, shape.bounds if is_box else None)
        west, south, east, north = self._covered
        turns = [affinity.translate(shape, 360 * turn) for turn in (-1, 0, 1)]
        around = shapely.box(west, south, east, north)
        near = shapely.intersection(shapely.union_all(turns), around)
        if near.equals(around):
            return None
        if near.is_empty:
            return Area(near)
        step = max(east - west, north - south) / _SAMPLES
        own = shapely.transform(shapely.segmentize(near, step), self._own)
        if not (np.isfinite(own.bounds).all() and shapely.is_valid(own)):
            raise InvalidRequest(
                "Areas in degrees cannot be drawn on this layer's map: its CRS has places that "
                f"are off the Earth, or a pole. Ask by {self.own_uri or 'properties'} instead."
            )
        return Area(own, _within(near, own, self._own))

    @cached_property
    def _crs(self) -> pyproj.CRS:
        return pyproj.CRS(self.layer.crs_wkt)

    @cached_property
    def _way(self) -> pyproj.Transformer:
        try:
            return pyproj.Transformer.from_crs(self._crs, "OGC:CRS84", always_xy=True)
        except ProjError as error:
            raise InvalidRequest(
                f"The features of {self.layer.name!r} lie nowhere on the Earth, so they are not "
                "told by longitude and latitude: fetch the file instead."
            ) from error

    @cached_property
    def _middle(self) -> float:
        """The longitude of the layer's middle, which others are told around."""
        west, south, east, north = self.layer.bounds or (0, 0, 0, 0)
        lon, _ = self._way.transform((west + east) / 2, (south + north) / 2)
        return float(lon) if np.isfinite(lon) else 0.0

    @cached_property
    def _covered(self) -> Bounds:
        """What the layer covers in degrees, and a little more; longitudes around its middle."""
        west, south, east, north = self.layer.bounds or (0, 0, 0, 0)
        along = np.linspace(0, 1, _SAMPLES)
        x, y = np.meshgrid(west + (east - west) * along, south + (north - south) * along)
        places = self._degrees(np.stack([x.ravel(), y.ravel()], axis=1))
        places = places[np.isfinite(places).all(axis=1)]
        if not len(places):
            raise InvalidRequest(f"The features of {self.layer.name!r} lie nowhere on the Earth.")
        low, high = places.min(axis=0), places.max(axis=0)
        room = _ROOM * (high - low) + 1e-7
        (west, south), (east, north) = low - room, high + room
        return float(west), max(float(south), -90.0), float(east), min(float(north), 90.0)

    @cached_property
    def _swapped(self) -> bool:
        """Whether the CRS has northing or latitude first, as its authority defines it."""
        places = [
            pyproj.Transformer.from_crs("OGC:CRS84", self._crs, always_xy=xy).transform(
                self._middle, (self._covered[1] + self._covered[3]) / 2
            )
            for xy in (True, False)
        ]
        return places[0] != places[1]

    def _degrees(self, places: Places) -> Places:
        lon, lat = self._way.transform(places[:, 0], places[:, 1])
        lon = self._middle + (lon - self._middle + 180) % 360 - 180
        return np.stack([lon, lat], axis=1)

    def _own(self, places: Places) -> Places:
        return np.stack(
            self._way.transform(places[:, 0], places[:, 1], direction="INVERSE"), axis=1
        )


def _wrapped(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def _cut(shape: shapely.Geometry) -> shapely.Geometry:
    """A shape of longitudes that may go beyond 180, cut there as RFC 7946 wants it."""
    west, _, east, _ = shape.bounds
    if not np.isfinite(shape.bounds).all() or (west >= -180 and east <= 180):
        return shape
    parts = [
        affinity.translate(shape.intersection(shapely.box(at, -90, at + 360, 90)), -180 - at)
        for at in (-540, -180, 180)
    ]
    return shapely.union_all([part for part in parts if not part.is_empty])


def _within(near: shapely.Geometry, own: shapely.Geometry, to_own: Any) -> Bounds | None:
    """A box within an area that is a box in degrees; None where none is found."""
    if not near.equals(near.envelope):
        return None
    west, south, east, north = near.bounds
    along = np.linspace(0, 1, _SAMPLES)
    lon, lat = west + (east - west) * along, south + (north - south) * along
    sides = [
        to_own(np.stack(np.broadcast_arrays(x, y), axis=1))
        for x, y in ((west, lat), (east, lat), (lon, south), (lon, north))
    ]
    left, right, low, high = sides
    least = np.array([left[:, 0].max(), low[:, 1].max()])
    most = np.array([right[:, 0].min(), high[:, 1].min()])
    room = _INSET * (most - least)
    box = (*(least + room).tolist(), *(most - room).tolist())
    inside = (most > least).all() and own.contains(shapely.box(*box))
    return box if inside else None
