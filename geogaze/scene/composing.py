"""What must be known of a scene of several files to plan a job on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from geogaze.errors import SceneUnusable
from geogaze.grid.lattice import Box
from geogaze.scene.crs import gdal_crs, parse_crs, short_crs
from geogaze.scene.decoders import gdal_decoder
from geogaze.scene.ground import ground_of
from geogaze.scene.header import full_ranges
from geogaze.scene.info import SceneInfo
from geogaze.scene.members import Laid, Member, look_at
from geogaze.scene.parts import Grid, Parts
from geogaze.scene.pieces import Piece
from geogaze.scene.placing import bounds_on, grid_over
from geogaze.scene.pooling import pooled_samples
from geogaze.scene.ranges import Ranges, given_ranges, percentile_ranges
from geogaze.scene.rasterfile import check_pixels
from geogaze.scene.readers import parts_of
from geogaze.scene.reading import MOST_FILES
from geogaze.scene.source import Source

_AT_ONCE = 8  # files that are looked at

T = TypeVar("T")
R = TypeVar("R")


def compose(
    uri: str,
    sources: Sequence[Source],
    band_names: Sequence[str],
    bands: Sequence[int] | None,
    rescale: Sequence[tuple[float, float]] | None,
) -> SceneInfo:
    """Look at all files of a scene, and lay them on one grid.

    Args:
        uri: what the scene is called.
        sources: files and documents that name some; the first lies above the others.
        band_names: the model's bands, in order.
        bands: those of each file (from 1) for them, or None to choose.
        rescale: one (low, high) for all bands or one for each, or None to choose.

    Raises:
        SceneUnusable: files that have no place, other bands, or values that do not compare.
        SceneUnreadable: one is not allowed, missing, of no known format, or over the caps.
        SceneAway: a host or store does not answer.
    """
    groups = _at_once(lambda source: parts_of(source, band_names), sources)
    if sources[0].reading.assets and not any(group.assets for group in groups):
        raise SceneUnusable(f"--assets is for STAC Items, and {uri!r} is none.")
    members = _members(uri, sources, groups)
    laid = [
        Laid.of(group, part, members[part.uri], band_names, bands)
        for group in groups
        for part in group.parts
    ]
    _check_alike(laid)
    grid = _grid(groups, laid, sources[0].reading.crs)
    check_pixels(uri, grid.height * grid.width, sources[0].settings)
    pieces = tuple(_pieces(laid, grid))
    if not pieces:
        raise SceneUnusable(f"{uri!r}: none of its files has a pixel on its grid.")
    crs, shape = gdal_crs(grid.crs), (grid.height, grid.width)
    ranges, source, warnings = _ranges(uri, laid, rescale)
    return SceneInfo(
        uri=uri,
        width=grid.width,
        height=grid.height,
        crs_wkt=crs.to_wkt(),
        epsg=crs.to_epsg(),
        transform=tuple(grid.affine)[:6],
        dtype=laid[0].member.dtypes[laid[0].used[0] - 1],
        bands=laid[0].chosen,
        bands_source=laid[0].bands_source,
        **ground_of(uri, crs.to_wkt(), grid.affine, shape)._asdict(),
        rescale=ranges,
        rescale_source=source,
        warnings=tuple(warnings),
        version=_version(pieces),
        decoder=gdal_decoder(),
        pieces=pieces,
    )


def _members(uri: str, sources: Sequence[Source], groups: Sequence[Parts]) -> dict[str, Member]:
    """The headers of all files, each once, by their addresses."""
    named = dict.fromkeys(part.uri for group in groups for part in group.parts)
    if len(named) > MOST_FILES:
        raise SceneUnusable(
            f"{uri!r} comes to {len(named):,} files; at most {MOST_FILES:,} are one scene."
        )
    looked = {source.uri: source for source in sources}  # at some of them already
    files = [looked.get(name) or sources[0].other(name) for name in named]
    members = dict(zip(named, _at_once(look_at, files), strict=True))
    placed = {part.uri for group in groups for part in group.parts if part.place}
    nowhere = [name for name, member in members.items() if not member.place and name not in placed]
    if len(nowhere) == len(members) > 1:
        folder = nowhere[0].rpartition("/")[0] or "."
        raise SceneUnusable(
            f"None of these {len(nowhere):,} pictures has a place on the map, such as "
            f"{nowhere[0]!r}: they are no scene. 'geogaze image {folder}' explains each by itself."
        )
    return members


def _check_alike(laid: Sequence[Laid]) -> None:
    """Refuse values that no one scale fits."""
    first: tuple[str, str] | None = None
    for one in laid:
        for band in one.used:
            uri, dtype = one.member.source.uri, one.member.dtypes[band - 1]
            if dtype.startswith("complex"):
                raise SceneUnusable(
                    f"{uri!r} holds complex values; save magnitude or intensity first."
                )
            first = first or (uri, dtype)
            if dtype != first[1]:
                raise SceneUnusable(
                    f"{first[0]!r} has values of the type {first[1]}, and {uri!r} {dtype}: one "
                    "scale does not fit both. Convert some with 'gdal_translate -ot', or explain "
                    "them apart."
                )
    if first is None:
        raise SceneUnusable(f"{laid[0].placed.uri!r} has none of the bands that are wanted.")


def _grid(groups: Sequence[Parts], laid: Sequence[Laid], asked: str | None) -> Grid:
    crs = short_crs(parse_crs(asked, "--crs")) if asked else None
    own = groups[0].grid if len(groups) == 1 else None
    if own and crs in {None, own.crs}:
        return own
    return grid_over([one.placed for one in laid], crs)


def _pieces(laid: Sequence[Laid], grid: Grid) -> Iterator[Piece]:
    for one in laid:
        placed = one.placed
        top, left, bottom, right = bounds_on(placed, grid.crs, grid.affine)
        box = max(0, top), max(0, left), min(bottom, grid.height), min(right, grid.width)
        if one.used and _holds(box) and _holds(placed.window):
            yield Piece(
                uri=placed.uri,
                version=one.member.source.seen.version,
                bands=one.bands,
                window=placed.window,
                transform=tuple(placed.affine)[:6],
                crs=None if placed.crs == grid.crs else placed.crs,
                nodata=one.nodata,
                box=box,
            )


def _holds(box: Box) -> bool:
    """Whether any pixel is in it."""
    return box[0] < box[2] and box[1] < box[3]


def _ranges(
    uri: str, laid: Sequence[Laid], rescale: Sequence[tuple[float, float]] | None
) -> tuple[Ranges, str, list[str]]:
    count = len(laid[0].bands)
    if rescale:
        return given_ranges(rescale, count), "given", []
    if laid[0].member.dtypes[laid[0].used[0] - 1] == "uint8":
        bits = [
            max(one.member.bits[one.bands[at] - 1] for one in laid if one.bands[at])
            for at in range(count)
        ]
        return *full_ranges(bits), []
    samples, files = pooled_samples(uri, laid)
    ranges, warnings = percentile_ranges(uri, laid[0].chosen, samples)
    of = len({one.placed.uri for one in laid})
    whose = "the scene" if files == of else f"{files} of its {of} files"
    return ranges, f"percentiles 2 and 98 of {whose}", warnings


def _version(pieces: Sequence[Piece]) -> str | None:
    """Of all files together; None where one does not tell."""
    versions = dict.fromkeys((piece.uri, piece.version) for piece in pieces)
    if any(version is None for _, version in versions):
        return None
    return hashlib.sha256(repr(list(versions)).encode()).hexdigest()[:32]


def _at_once(work: Callable[[T], R], what: Iterable[T]) -> list[R]:
    """The work on each, several at a time; the first failure ends it."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as threads:
        try:
            return list(threads.map(work, what))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
