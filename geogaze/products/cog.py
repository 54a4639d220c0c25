"""Cloud-optimised GeoTIFFs, written by GDAL's COG driver and checked by rio-cogeo.

rio-cogeo's own translation goes through a warped VRT, which would straighten rotated scenes, so
it only validates here.
"""

from __future__ import annotations

from pathlib import Path

import rasterio.shutil
from rio_cogeo.cogeo import cog_validate

MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"


def write_cog(source: Path, target: Path, **options: str) -> None:
    """Turn a GeoTIFF into a COG with overviews, keeping its metadata.

    Args:
        source: a GeoTIFF.
        target: the COG to write.
        options: creation options of GDAL's COG driver.

    Raises:
        RuntimeError: the outcome is not a valid COG (a bug here or in GDAL).
    """
    rasterio.shutil.copy(
        source, target, driver="COG", NUM_THREADS="1", BIGTIFF="IF_SAFER", **options
    )
    valid, errors, warnings = cog_validate(target, strict=True, quiet=True)
    if not valid:
        raise RuntimeError(f"{target.name} is no valid COG: {errors + warnings}")
