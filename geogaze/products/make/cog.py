"""Cloud-optimised GeoTIFFs, written by GDAL's COG driver.

rio-cogeo's own translation goes through a warped VRT, which would straighten rotated scenes, and
its validator takes a file as wide as its blocks for untiled. So what the driver was asked for is
looked up in what it wrote, and an answer that differs is logged: by then the work is done, and a
layer that opens is worth more than none.
"""

from __future__ import annotations

from pathlib import Path

import rasterio
import rasterio.shutil
import structlog

log = structlog.get_logger()


def write_cog(source: Path, target: Path, *, block: int, **options: str) -> None:
    """Turn a GeoTIFF into a COG with overviews, keeping its metadata.

    Args:
        source: a GeoTIFF.
        target: the COG to write.
        block: side of its blocks, pixels.
        options: further creation options of GDAL's COG driver.
    """
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        NUM_THREADS="1",
        BIGTIFF="IF_SAFER",
        BLOCKSIZE=str(block),
        **options,
    )
    if odd := departures(target, block):
        log.warning("COG is not as asked for", file=target.name, departures=odd)


def departures(path: Path, block: int) -> list[str]:
    """In what a file is no COG with blocks of ``block`` × ``block`` pixels."""
    with rasterio.open(path, driver="GTiff") as dataset:
        wanted = block, block
        large = max(dataset.shape) > block
        faults = {
            "it has no COG layout": dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") != "COG",
            f"its blocks are {dataset.block_shapes[0]}": set(dataset.block_shapes) != {wanted},
            "it has no overviews": large and not dataset.overviews(1),
        }
    return [what for what, wrong in faults.items() if wrong]
