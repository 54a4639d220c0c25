"""What every job leaves behind besides its layers: the one list that tests go by."""

from __future__ import annotations

OF_EVERY_JOB = {
    "tiles": "tiles.parquet",
    "hotspots": "hotspots.gpkg",
    "hotspots-parquet": "hotspots.parquet",
    "preview": "preview.png",
    "page": "index.html",
    "item": "item.json",
}
"""Products' names and files."""
