"""GeoTIFFs, opened without trusting what they are called, what they contain, or who sends them.

Only the GTiff driver may open one, and no host holds us up for longer than the settings say.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.scene.asking import Asking
from geogaze.scene.choosing import decoder_for
from geogaze.scene.gdal import gdal_environment
from geogaze.scene.header import describe
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import is_remote
from geogaze.scene.reader import Block, FloatBox, SceneReader, Values, blocks_at
from geogaze.scene.sample import decoded_bands
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

    def __init__(self, source: Source) -> None:
        super().__init__(source.uri, source.seen.version)
        self._source = source
        self._asking = Asking(source.uri, source.settings.silence_seconds)
        self._open = ExitStack()
        self._dataset = self._open.enter_context(open_dataset(source))

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


@contextmanager
def open_dataset(source: Source) -> Iterator[DatasetReader]:
    """A GeoTIFF as rasterio has it, for this room alone."""
    path, uri = source.gdal_path, source.uri
    with gdal_environment(source.settings, s3=path.startswith("/vsis3/")):
        try:
            with warnings.catch_warnings():
                # The refusal of such scenes says it better.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(path, driver="GTiff")
        except RasterioError as error:
            raise _unopened(uri, error) from error
        with dataset:
            _check_caps(uri, dataset, source.settings)
            yield dataset


def _unopened(uri: str, error: RasterioError) -> SceneUnreadable | SceneAway:
    if is_remote(uri):  # it starts as a TIFF does, so the rest of its header did not come
        return SceneAway(f"{uri!r} could not be opened where it lies: {error}")
    return SceneUnreadable(
        f"{uri!r} cannot be opened as a GeoTIFF: {error}. "
        "Convert it with 'gdal_translate -of COG' first."
    )


def _check_caps(uri: str, dataset: DatasetReader, settings: Settings) -> None:
    pixels = dataset.width * dataset.height
    if pixels > settings.max_scene_pixels:
        raise SceneUnreadable(
            f"{uri!r} has {pixels:,} pixels; at most {settings.max_scene_pixels:,} are allowed "
            "(GEOGAZE_MAX_SCENE_PIXELS)."
        )
    rows, cols = dataset.block_shapes[0]
    item = int(np.dtype(dataset.dtypes[0]).itemsize)
    block = rows * cols * item * decoded_bands(dataset, dataset.indexes[:1])
    if block > settings.max_block_bytes:
        raise SceneUnreadable(
            f"{uri!r} has internal blocks of {rows} × {cols} pixels, {block / 2**20:,.0f} MiB to "
            f"be read at once; at most {settings.max_block_bytes / 2**20:,.0f} are allowed "
            "(GEOGAZE_MAX_BLOCK_BYTES). Convert it with 'gdal_translate -co TILED=YES "
            "-co INTERLEAVE=BAND -co BIGTIFF=IF_SAFER' first."
        )
