"""One of a scene's files, as long as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.grid.lattice import Box
from geogaze.scene.asking import Asking
from geogaze.scene.pieces import Piece
from geogaze.scene.rasterfile import open_raster
from geogaze.scene.reader import Values
from geogaze.scene.readers import driver_of
from geogaze.scene.source import Source
from geogaze.scene.validity import known_bands
from geogaze.scene.warping import Read


class PieceFile:
    """A file of a scene of several, which is opened when it is first read; GDAL is set up by then.

    Args:
        source: the file, with the version that it must have.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._asking = Asking(source.uri, source.settings.silence_seconds)
        self._room = ExitStack()
        self._open: DatasetReader | None = None

    def open(self) -> DatasetReader:
        """Open it, unless it is open.

        Raises:
            SceneUnreadable: it cannot be opened.
            SceneReplaced: it has another version than it must.
            SceneAway: its host or store does not answer.
        """
        if self._open is None:
            driver = driver_of(self.source)
            self._open = self._room.enter_context(open_raster(self.source, driver))
        return self._open

    @property
    def block(self) -> tuple[int, int]:
        """Its internal tiles or strips (h, w)."""
        height, width = self.open().block_shapes[0]
        return int(height), int(width)

    def reads(self, piece: Piece, positions: Sequence[int]) -> Read:
        """What reads windows of a piece that is this file.

        Args:
            piece: the piece.
            positions: of those bands that the scene has chosen, those wanted.
        """
        dataset, bands = self.open(), [piece.bands[position] for position in positions]
        there = [band > 0 for band in bands]
        dtype = dataset.dtypes[0]

        def read(window: Box, shape: tuple[int, int]) -> Values:
            values = np.zeros((len(bands), *shape), dtype=dtype)
            known = np.zeros(values.shape, dtype=bool)
            if any(there):
                values[there], known[there] = self._read(
                    dataset, [band for band in bands if band], window, shape
                )
            if piece.nodata is not None:
                known &= values != piece.nodata
            return Values(values, known)

        return read

    def _read(
        self, dataset: DatasetReader, bands: list[int], box: Box, shape: tuple[int, int]
    ) -> Values:
        top, left, bottom, right = box
        window = Window(left, top, right - left, bottom - top)
        exact = shape == (window.height, window.width)
        with self._asking.read():
            values = dataset.read(
                bands,
                window=window,
                out_shape=(len(bands), *shape),
                resampling=Resampling.nearest if exact else Resampling.bilinear,
            )
            return Values(values, known_bands(dataset, bands, values, window, shape))

    def close(self) -> None:
        """Close it; it is opened again when it is read again."""
        self._room.close()
        self._open = None
