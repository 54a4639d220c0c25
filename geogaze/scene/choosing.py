"""Which decoder a new job's pixels are had by."""

from __future__ import annotations

from collections.abc import Sequence

from rasterio.io import DatasetReader

from geogaze.scene.decoders import gdal_decoder, may_be_ranged, ranged_decoder
from geogaze.scene.plain import agrees, looks_plain, within
from geogaze.scene.source import Source
from geogaze.scene.tiles import Tiles
from geogaze.scene.validity import alpha_bands


def decoder_for(source: Source, dataset: DatasetReader, bands: Sequence[int]) -> str:
    """The decoder of some bands of a GeoTIFF at its own resolution, as plans have it.

    A remote file that looks plain is asked for its header once more, and GDAL reads it where the
    two understand it differently.

    Args:
        source: where it lies.
        dataset: the same, as GDAL has it.
        bands: those wanted, from 1.

    Raises:
        SceneAway: its host stopped answering; that must not decide.
        DecoderMissing: the operator wants a decoder that is not installed.
    """
    tiff = dataset.driver == "GTiff"
    ranged = tiff and may_be_ranged(source.uri, source.settings) and looks_plain(dataset, bands)
    if ranged:
        tiles = Tiles(source)
        tiles.close()
        layout = tiles.layout
        ranged = (
            layout is not None
            and within(layout, source.settings)
            and agrees(layout, dataset, alpha_bands(dataset))
        )
    return (ranged and ranged_decoder()) or gdal_decoder()
