"""JPEG 2000 files as scenes, by GDAL's OpenJPEG driver."""

from __future__ import annotations

from typing import ClassVar

from geogaze.scene.geotiff import GeoTiff


class Jpeg2000(GeoTiff):
    """An open JPEG 2000 file, read as a GeoTIFF is; its place must stand in the file."""

    driver: ClassVar[str] = "JP2OpenJPEG"
