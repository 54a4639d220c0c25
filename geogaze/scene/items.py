"""STAC Items and results of searches as scenes: which of their assets hold the model's bands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scene.advice import why_no_scene
from geogaze.scene.bands import BandLabel, coded_in, named_in
from geogaze.scene.parts import Part, Parts
from geogaze.scene.reading import MOST_FILES
from geogaze.scene.source import Source

_NO_IMAGE = {"thumbnail", "overview", "metadata"}
_SUFFIXES = (".tif", ".tiff", ".jp2", ".j2k")

Document = dict[str, Any]


@dataclass(frozen=True)
class _Asset:
    """A raster of an Item. ``bands`` are the colours of its bands, or their names; ``nodata`` is
    what the Item says of each.
    """

    name: str
    href: str
    bands: tuple[str, ...]
    nodata: tuple[float | None, ...]

    def answers_to(self, wanted: str) -> int:
        """The band (from 1) that is the wanted one; 0 where none is."""
        for known, name in ((str.casefold, wanted.casefold()), (colour_of, colour_of(wanted))):
            names = [known(band) for band in self.bands]
            if name in names:
                return names.index(name) + 1
        same = colour_of(self.name) in {wanted.casefold(), colour_of(wanted)}
        return int(same and len(self.bands) <= 1)


def parts_of(source: Source, wanted: Sequence[str]) -> Parts:
    """The assets of an Item or of a search's Items that hold the model's bands; the first Item lies
    above the others.

    Assets that the user names come first; else one asset with all the bands, else one for each
    band.

    Args:
        source: where the document lies.
        wanted: the model's bands, by name.

    Raises:
        SceneUnreadable: it is no Item and no search result, or leads where scenes may not be.
        SceneUnusable: an Item has not all the bands.
    """
    chosen = [_Chooser(source, item, wanted).parts() for item in _items(source)]
    parts = tuple(part for found, _ in chosen for part in found)
    if len(parts) > MOST_FILES:
        raise SceneUnreadable(
            f"{source.uri!r} leads to more than {MOST_FILES:,} files; search in less."
        )
    labelled = {known for _, known in chosen}
    if len(labelled) > 1:
        raise SceneUnusable(
            f"The Items of {source.uri!r} say their bands in different ways; name the assets: "
            "--assets."
        )
    labels = tuple(BandLabel(name) for name in wanted) if labelled == {True} else None
    return Parts(parts, labels=labels, assets=True)


def colour_of(name: str) -> str:
    """The colour that an asset's or a band's name stands for, or the name itself."""
    return named_in(name) or coded_in(name) or name.casefold()


def _items(source: Source) -> list[Document]:
    text = source.text()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SceneUnreadable(f"{source.uri!r} starts as JSON, and is none: {error}") from error
    kind = document.get("type") if isinstance(document, dict) else None
    features = document.get("features") if kind == "FeatureCollection" else [document]
    if isinstance(features, list) and features and all(map(_is_item, features)):
        return features
    if kind in {"Collection", "Catalog"}:
        raise SceneUnreadable(
            f"{source.uri!r} is a STAC {kind}, which may hold any number of Items. Name an Item, "
            "or save what a search found."
        )
    raise SceneUnreadable(
        f"{source.uri!r} cannot be opened as a scene. {why_no_scene(text[:100].encode())}"
    )


def _is_item(feature: Any) -> bool:
    return (
        isinstance(feature, dict)
        and feature.get("type") == "Feature"
        and isinstance(feature.get("assets"), dict)
    )


class _Chooser:
    """The choice of an Item's assets."""

    def __init__(self, source: Source, item: Document, wanted: Sequence[str]) -> None:
        self._source = source
        self._id = str(item.get("id"))[:80]
        self._wanted = wanted
        self._assets = list(_assets(item))

    def parts(self) -> tuple[list[Part], bool]:
        """The files, and whether their bands are given in the model's order; else each file's own
        bands are to be chosen from.
        """
        asked = self._source.reading.assets
        if asked is not None:
            return self._asked(asked)
        for asset in self._assets:
            bands = tuple(asset.answers_to(name) for name in self._wanted)
            if len(asset.bands) >= len(self._wanted) > 0 and all(bands):
                return [self._part(asset, bands)], True
        found = [self._first(name) for name in self._wanted]
        if all(found):
            return self._stacked([pair for pair in found if pair]), True
        if len(self._assets) == 1:
            return [self._part(self._assets[0])], False
        missing = [name for name, pair in zip(self._wanted, found, strict=True) if not pair]
        raise self._refused(f"no asset is the band {' or '.join(map(repr, missing))}")

    def _asked(self, names: Sequence[str]) -> tuple[list[Part], bool]:
        if len(names) == 1:
            return [self._part(self._named(names[0]))], False
        if len(names) != len(self._wanted):
            raise self._refused(
                f"{len(names)} assets are named, and the model takes {len(self._wanted)} bands "
                f"({', '.join(self._wanted)}): name one asset with all of them, or one for each"
            )
        pairs = []
        for name in names:
            asset = self._named(name)
            pairs.append((asset, asset.answers_to(name) or 1))
        return self._stacked(pairs), True

    def _named(self, name: str) -> _Asset:
        for asset in self._assets:
            if asset.name == name:
                return asset
        if pair := self._first(name):
            return pair[0]
        raise self._refused(f"it has no asset {name!r}")

    def _first(self, name: str) -> tuple[_Asset, int] | None:
        """The first asset with a band of a name: those of one band before others."""
        found = [(asset, band) for asset in self._assets if (band := asset.answers_to(name))]
        return min(found, key=lambda pair: len(pair[0].bands) > 1, default=None)

    def _stacked(self, pairs: Sequence[tuple[_Asset, int]]) -> list[Part]:
        """One part for each asset, with the bands that it gives."""
        parts: dict[_Asset, list[int]] = {}
        for position, (asset, band) in enumerate(pairs):
            parts.setdefault(asset, [0] * len(pairs))[position] = band
        return [self._part(asset, tuple(bands)) for asset, bands in parts.items()]

    def _part(self, asset: _Asset, bands: tuple[int, ...] | None = None) -> Part:
        known = {value for value in asset.nodata if value is not None}
        nodata = known.pop() if len(known) == 1 else None
        return Part(self._source.beside(asset.href).uri, bands, nodata=nodata)

    def _refused(self, why: str) -> SceneUnusable:
        names = [asset.name for asset in self._assets]
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        there = f"{', '.join(names[:20])}{more}" if names else "none that is a GeoTIFF or JPEG 2000"
        return SceneUnusable(
            f"The Item {self._id!r} of {self._source.uri!r} does not do: {why}. Its rasters are: "
            f"{there}. Name those that you mean, in the order of the model's bands: --assets."
        )


def _assets(item: Document) -> Iterator[_Asset]:
    for name, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            continue
        kind, path = str(asset.get("type", "")), asset["href"].partition("?")[0].lower()
        raster = kind.startswith(("image/tiff", "image/jp2")) or path.endswith(_SUFFIXES)
        if raster and not _NO_IMAGE & set(_list_of(asset, "roles", str)):
            bands = _bands_of(asset)
            yield _Asset(
                str(name),
                asset["href"],
                tuple(colour for colour, _ in bands),
                tuple(missing for _, missing in bands),
            )


def _bands_of(asset: Document) -> list[tuple[str, float | None]]:
    """Colour or name of each band, and its missing value: of STAC 1.1's bands, or of eo:bands and
    raster:bands before.
    """
    named = _list_of(asset, "bands", dict) or _list_of(asset, "eo:bands", dict)
    valued = _list_of(asset, "bands", dict) or _list_of(asset, "raster:bands", dict)
    count = max(len(named), len(valued))
    bands = []
    for band in range(count):
        about = named[band] if band < len(named) else {}
        value = (valued[band] if band < len(valued) else {}).get("nodata", asset.get("nodata"))
        colour = about.get("eo:common_name") or about.get("common_name") or about.get("name") or ""
        bands.append((str(colour), float(value) if isinstance(value, int | float) else None))
    return bands


def _list_of(asset: Document, key: str, kind: type) -> list[Any]:
    value = asset.get(key)
    return [part for part in value if isinstance(part, kind)] if isinstance(value, list) else []
