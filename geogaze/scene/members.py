"""What the header of one of a scene's files says, and where it is to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from affine import Affine
from rasterio.io import DatasetReader

from geogaze.errors import SceneUnusable
from geogaze.scene.bands import BandLabel, choose_bands
from geogaze.scene.crs import parse_crs, short_crs
from geogaze.scene.header import bits_of
from geogaze.scene.parts import Part, Parts
from geogaze.scene.placing import Placed
from geogaze.scene.rasterfile import open_dataset
from geogaze.scene.readers import driver_of
from geogaze.scene.source import Source
from geogaze.scene.validity import labels_of
from geogaze.scene.worldfile import affine_beside


@dataclass(frozen=True)
class Member:
    """A file's header. ``place`` is its CRS (None where it has none) and the affine of its pixels
    (col, row); None where it lies nowhere. ``dtypes``, ``bits`` and ``nodata`` are of each band.
    """

    source: Source
    shape: tuple[int, int]
    place: tuple[str | None, Affine] | None
    labels: tuple[BandLabel, ...]
    dtypes: tuple[str, ...]
    bits: tuple[int, ...]
    nodata: tuple[float | None, ...]


def look_at(source: Source) -> Member:
    """The header of a file, and its world file where it says no place itself.

    Raises:
        SceneUnreadable: it cannot be opened, or is over the operator's caps.
        SceneAway: its host or store does not answer.
    """
    with open_dataset(source, driver_of(source)) as dataset:
        found = Member(
            source,
            dataset.shape,
            _place_of(dataset),
            labels_of(dataset),
            dataset.dtypes,
            tuple(bits_of(dataset, dataset.indexes)),
            dataset.nodatavals,
        )
    if found.place is None and (affine := affine_beside(source)):
        return replace(found, place=(None, affine))
    return found


def _place_of(dataset: DatasetReader) -> tuple[str | None, Affine] | None:
    if dataset.transform.is_identity:
        return None
    return _code(dataset.crs.to_wkt()) if dataset.crs else None, dataset.transform


@lru_cache(maxsize=256)
def _code(wkt: str) -> str:
    return short_crs(parse_crs(wkt, "A file"))


@dataclass(frozen=True)
class Laid:
    """A part of a scene, with all that its file says. ``chosen`` are the bands that the model
    takes, of those that the part's document or file counts; ``bands`` are the file's own (from 1),
    0 where it has none.
    """

    member: Member
    chosen: tuple[int, ...]
    bands_source: str
    bands: tuple[int, ...]
    placed: Placed
    nodata: float | None

    @classmethod
    def of(
        cls,
        group: Parts,
        part: Part,
        member: Member,
        names: Sequence[str],
        asked: Sequence[int] | None,
    ) -> Self:
        """Lay a part where it belongs.

        Args:
            group: what it was named with.
            part: the part.
            member: its file.
            names: the model's bands.
            asked: the bands that the user wants for them.

        Raises:
            SceneUnusable: it has no place, other bands, or complex values.
        """
        uri = part.uri
        chosen, why = choose_bands(uri, group.labels or member.labels, names, asked)
        bands = tuple(part.bands[band - 1] for band in chosen) if part.bands else chosen
        if odd := [band for band in bands if not 0 <= band <= len(member.labels)]:
            raise SceneUnusable(f"{uri!r} has no band {odd[0]}; it has {len(member.labels)}.")
        crs, affine = part.place or _place_on_map(member)
        window = part.window or (0, 0, *member.shape)
        inside = (
            max(0, window[0]),
            max(0, window[1]),
            min(window[2], member.shape[0]),
            min(window[3], member.shape[1]),
        )
        nodata = member.source.reading.nodata if part.nodata is None else part.nodata
        own = {member.nodata[band - 1] for band in bands if band}
        missing = None if nodata is None or own == {nodata} else nodata
        return cls(member, chosen, why, bands, Placed(uri, crs, affine, inside), missing)

    @property
    def used(self) -> tuple[int, ...]:
        """The file's bands (from 1) that the scene takes."""
        return tuple(dict.fromkeys(band for band in self.bands if band))


def _place_on_map(member: Member) -> tuple[str, Affine]:
    uri, asked = member.source.uri, member.source.reading.crs
    if member.place is None:
        raise SceneUnusable(
            f"{uri!r} has no place on the map, in the file or in a world file beside it, so its "
            "heat would lie nowhere. Georeference it first (gdalwarp, or 'gdal_translate -a_srs … "
            "-a_ullr …'), or explain it by itself: geogaze image."
        )
    crs, affine = member.place
    if affine.is_degenerate:
        raise SceneUnusable(f"{uri!r} has a degenerate affine {tuple(affine)[:6]}.")
    if crs is None and asked is None:
        raise SceneUnusable(
            f"{uri!r} says where its pixels lie, but in no CRS. If you know it: --crs EPSG:CODE."
        )
    return crs or short_crs(parse_crs(str(asked), "--crs")), affine
