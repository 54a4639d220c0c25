"""Plain tiled GeoTIFFs far away: their tiles are fetched many at once, and decoded by async-tiff.

GDAL asks for one piece of a window after the other, so a host's latency is paid for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geogaze.errors import SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.scene.asking import Asking
from geogaze.scene.geotiff import GeoTiff, blocks_touched
from geogaze.scene.info import SceneInfo
from geogaze.scene.plain import within
from geogaze.scene.reader import Block, FloatBox, SceneReader, Values
from geogaze.scene.source import Source
from geogaze.scene.tiles import Tiles
from geogaze.scene.validity import known_values


class TiledGeoTiff(SceneReader):
    """An open remote GeoTIFF that is plain.

    Args:
        source: where it lies.

    Raises:
        SceneUnreadable: not allowed or missing, or no longer plain.
        SceneAway: its host or store does not answer.
        SceneReplaced: it has another version than it must.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source.uri, source.seen.version)
        self._source = source
        self._asking = Asking(source.uri, source.settings.silence_seconds)
        self._shrunk: GeoTiff | None = None
        self._tiles = Tiles(source)
        layout = self._tiles.layout
        if layout is None or not within(layout, source.settings):
            self._tiles.close()
            raise SceneUnreadable(
                f"{source.uri!r} is not the plain GeoTIFF that it was when the job was accepted. "
                "Submit it again."
            )
        self._layout = layout

    @property
    def requests(self) -> int:
        """How many were made for parts of it."""
        return self._tiles.requests

    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        """As GDAL tells them."""
        return self._by_gdal().facts(band_names, bands, rescale)

    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        """Read a box; at another resolution, to look at it, by GDAL from overviews."""
        top, left, bottom, right = map(int, box)
        if (top, left, bottom, right) != tuple(box) or shape != (bottom - top, right - left):
            return self._by_gdal().pixels(bands, box, shape)
        alpha = self._layout.alpha
        wanted = list(dict.fromkeys((*bands, *alpha)))
        with self._asking.read():
            came = self._tiles.read((top, left, bottom, right), wanted)
        values = came[[wanted.index(band) for band in bands]]
        opacity = came[[wanted.index(band) for band in alpha]] if alpha else None
        return Values(values, known_values(values, [self._layout.nodata] * len(bands), opacity))

    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        """Its tiles."""
        layout = self._layout
        return blocks_touched(box, layout.tile, (layout.height, layout.width))

    def version_now(self) -> str | None:
        """By another look at the file."""
        return self._source.look().version

    def close(self) -> None:
        """Hang up."""
        self._tiles.close()
        if self._shrunk:
            self._shrunk.close()

    def _by_gdal(self) -> GeoTiff:
        if self._shrunk is None:
            self._shrunk = GeoTiff(self._source)
        return self._shrunk
