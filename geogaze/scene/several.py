"""Several files as one scene: beside each other, upon each other, from several CRSs on one grid.

Of files that overlap the first that knows a pixel shows it, band by band.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

import numpy as np
from affine import Affine

from geogaze.config import Settings
from geogaze.grid.lattice import Box
from geogaze.scene.composing import compose
from geogaze.scene.crs import parse_crs, short_crs
from geogaze.scene.gdal import gdal_environment
from geogaze.scene.info import SceneInfo
from geogaze.scene.piecefile import PieceFile
from geogaze.scene.pieces import Piece, nearest_offset
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import Block, FloatBox, PartUnread, SceneReader, Values, blocks_at
from geogaze.scene.source import Source, check_version
from geogaze.scene.warping import on_grid

_MOST_OPEN = 32  # files at once
_BLOCK = 512  # side of what is told as damaged, where a file's own blocks lie askew


class Several(SceneReader):
    """A scene of several files, or of one that does not say all that is to be known of it.

    Args:
        source: a file, or a document that names some.
        others: more of them.

    Raises:
        SceneUnreadable: one is not allowed, missing, or of no known format.
        SceneAway: a host or store does not answer.
    """

    def __init__(self, source: Source, *others: Source) -> None:
        more = f" and {len(others)} more" if others else ""
        super().__init__(f"{source.uri}{more}", None)
        self._sources = (source, *others)
        self._info: SceneInfo | None = None
        self._files: dict[str, PieceFile] = {}
        self._opened: OrderedDict[str, None] = OrderedDict()
        self._room = ExitStack()

    @classmethod
    def planned(cls, scene: SceneInfo, policy: SourcePolicy, settings: Settings) -> Self:
        """A scene as it was described, without another look at files that are not read."""
        reader = cls(Source(scene.uri, policy, settings))
        reader.uri = scene.uri
        reader._described(scene)
        return reader

    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        """By the headers of all files, and pixels of some where percentiles are wanted."""
        info = compose(self.uri, self._sources, band_names, bands, rescale)
        self._described(info)
        return info

    def _described(self, info: SceneInfo) -> None:
        self._info, self.version = info, info.version
        self._crs = short_crs(parse_crs(info.crs_wkt, repr(info.uri)))
        self._boxes = np.array([piece.box for piece in info.pieces])

    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        """Read a box: from the files that it touches, until all of it is known."""
        info = self._known_info
        positions = [info.bands.index(band) for band in bands]
        top, left, bottom, right = box
        down, across = (bottom - top) / shape[0], (right - left) / shape[1]
        values = np.zeros((len(bands), *shape), dtype=info.dtype)
        known = np.zeros(values.shape, dtype=bool)
        for piece in self._touching(box):
            row0, row1 = _within(piece.box[0], piece.box[2], top, down, shape[0])
            col0, col1 = _within(piece.box[1], piece.box[3], left, across, shape[1])
            inner = np.s_[:, row0:row1, col0:col1]
            if row0 >= row1 or col0 >= col1 or known[inner].all():
                continue
            target = (
                info.affine
                @ Affine.translation(left + col0 * across, top + row0 * down)
                @ Affine.scale(across, down)
            )
            with _named(piece):
                read = self._file(piece).reads(piece, positions)
                on = on_grid(piece, self._crs, target, (row1 - row0, col1 - col0), read)
            if on is not None:
                new = on.known & ~known[inner]
                values[inner][new] = on.values[new]
                known[inner] |= new
        return Values(values, known)

    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        """Blocks of the files that lie on the scene's own grid; of others, squares of the scene."""
        info = self._known_info
        for piece in self._touching(box):
            at = None
            if piece.crs is None:
                at = nearest_offset(piece.affine, info.affine, piece.window[2:])
            shape = (_BLOCK, _BLOCK)
            if at is not None:
                with _named(piece):
                    shape = self._file(piece).block
            row, col = at or (0, 0)
            moved = (
                max(box[0], piece.box[0]) - row,
                max(box[1], piece.box[1]) - col,
                min(box[2], piece.box[2]) - row,
                min(box[3], piece.box[3]) - col,
            )
            for down, across in blocks_at(moved, shape):
                place = (
                    max(piece.box[0], down * shape[0] + row),
                    max(piece.box[1], across * shape[1] + col),
                    min(piece.box[2], (down + 1) * shape[0] + row),
                    min(piece.box[3], (across + 1) * shape[1] + col),
                )
                where = f"rows {place[0]}-{place[2] - 1}, columns {place[1]}-{place[3] - 1}"
                yield Block(f"{piece.uri!r} (pixel {where} of the scene)", place)

    def version_now(self) -> str | None:
        """That of all files, by another look at those that were read.

        Raises:
            SceneReplaced: one has another version than it had.
        """
        for file in self._files.values():
            check_version(file.source.uri, file.source.seen.version, file.source.look().version)
        return self.version

    def close(self) -> None:
        """Close all files and leave GDAL as it was."""
        for file in self._files.values():
            file.close()
        self._room.close()

    @property
    def _known_info(self) -> SceneInfo:
        if self._info is None:
            raise RuntimeError("Ask for the scene's facts before its pixels.")
        return self._info

    def _touching(self, box: FloatBox) -> list[Piece]:
        boxes = self._boxes
        touched = (boxes[:, 0] < box[2]) & (boxes[:, 2] > box[0])
        touched &= (boxes[:, 1] < box[3]) & (boxes[:, 3] > box[1])
        return [self._known_info.pieces[number] for number in np.flatnonzero(touched)]

    def _file(self, piece: Piece) -> PieceFile:
        """An open file; those that were not read for longest are closed."""
        if not self._files:
            settings = self._sources[0].settings
            s3 = any(other.uri.startswith("s3://") for other in self._known_info.pieces)
            self._room.enter_context(gdal_environment(settings, s3=s3))
        if piece.uri not in self._files:
            source = self._sources[0].other(piece.uri, piece.version)
            file = PieceFile(source)
            file.open()
            self._files[piece.uri] = file
        self._opened[piece.uri] = None
        self._opened.move_to_end(piece.uri)
        while len(self._opened) > _MOST_OPEN:
            self._files[self._opened.popitem(last=False)[0]].close()
        return self._files[piece.uri]


@contextmanager
def _named(piece: Piece) -> Iterator[None]:
    """Whatever cannot be read, say of which file."""
    try:
        yield
    except PartUnread as error:
        raise PartUnread(f"{piece.uri!r}: {error}") from error


def _within(start: int, stop: int, first: float, size: float, count: int) -> tuple[int, int]:
    """Of ``count`` pixels of a ``size`` from ``first`` on, those that a span touches."""
    return (
        max(0, math.floor((start - first) / size)),
        min(count, math.ceil((stop - first) / size)),
    )
