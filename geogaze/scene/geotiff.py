"""GeoTIFFs as scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import ClassVar

from rasterio.enums import Resampling
from rasterio.windows import Window

from geogaze.grid.lattice import Box
from geogaze.scene.asking import Asking
from geogaze.scene.choosing import decoder_for
from geogaze.scene.header import describe
from geogaze.scene.info import SceneInfo
from geogaze.scene.rasterfile import open_dataset
from geogaze.scene.reader import Block, FloatBox, SceneReader, Values, blocks_at
from geogaze.scene.source import Source
from geogaze.scene.validity import known_bands


class GeoTiff(SceneReader):
    """An open GeoTIFF.

    Args:
        source: where it lies.

    Raises:
        SceneUnreadable: not allowed, missing, not a GeoTIFF, or larger than the operator's caps.
        SceneAway: its host or store does not answer.
        SceneReplaced: it has another version than it must.
    """

    driver: ClassVar[str] = "GTiff"
    """The one driver of GDAL that may open it."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.uri, source.seen.version)
        self._source = source
        self._asking = Asking(source.uri, source.settings.silence_seconds)
        self._open = ExitStack()
        self._dataset = self._open.enter_context(open_dataset(source, self.driver))

    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        """Its header; pixels only where percentiles of them are wanted or any may be missing."""
        info = describe(self._dataset, self._asking, band_names, bands, rescale)
        decoder = decoder_for(self._source, self._dataset, info.bands)
        return info.model_copy(update={"version": self.version, "decoder": decoder})

    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        """Read a box, from overviews where it shrinks."""
        top, left, bottom, right = box
        window = Window(left, top, right - left, bottom - top)
        exact = shape == (window.height, window.width)
        with self._asking.read():
            values = self._dataset.read(
                list(bands),
                window=window,
                out_shape=(len(bands), *shape),
                # GDAL widens the bilinear kernel when it shrinks, and starts from overviews.
                resampling=Resampling.nearest if exact else Resampling.bilinear,
            )
            return Values(values, known_bands(self._dataset, bands, values, window, shape))

    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        """Its internal tiles or strips."""
        return blocks_touched(box, self._dataset.block_shapes[bands[0] - 1], self._dataset.shape)

    def version_now(self) -> str | None:
        """By another look at the file."""
        return self._source.look().version

    def close(self) -> None:
        """Close the file and leave GDAL as it was."""
        self._open.close()


def blocks_touched(box: Box, block: tuple[int, int], scene: tuple[int, int]) -> Iterator[Block]:
    """Of the blocks of one shape (h, w) that cover a scene (h, w), those that a box touches."""
    for row, col in blocks_at(box, block):
        top, left = row * block[0], col * block[1]
        bottom, right = min(top + block[0], scene[0]), min(left + block[1], scene[1])
        place = f"pixel rows {top}-{bottom - 1}, columns {left}-{right - 1}"
        yield Block(f"Block (row {row}, column {col}; {place})", (top, left, bottom, right))
