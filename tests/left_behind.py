"""What jobs leave behind besides heat and overlays: the one list that tests go by."""

from __future__ import annotations

OF_EVERY_JOB = {
    "tiles": "tiles.parquet",
    "tiles-gpkg": "tiles.gpkg",
    "hotspots": "hotspots.gpkg",
    "hotspots-parquet": "hotspots.parquet",
    "summary": "summary.csv",
    "layers": "job.qlr",
    "legend": "legend.png",
    "sld": "heat.sld",
    "preview": "preview.png",
    "report": "report.html",
    "page": "index.html",
    "item": "item.json",
}
"""Products' names and files."""

OF_CLASSES = {
    "classes": "classes.tif",
    "classes-names": "classes.tif.aux.xml",
    "classes-style": "classes.qml",
    "classes-sld": "classes.sld",
}
"""The same of jobs whose cells have a best class."""
