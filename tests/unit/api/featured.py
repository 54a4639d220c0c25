"""Finished jobs with features: hotspots and tiles, as their GeoPackages have them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import shapely
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.products.product import GEOPACKAGE
from geogaze.storage import FolderStorage
from tests.unit.api.catalogued import catalogued
from tests.unit.api.test_assets import made
from tests.unit.gis.packages import outlines, write_package

COUNT = 25
OWN = "http://www.opengis.net/def/crs/EPSG/0/32631"


def featured(
    ledger: Ledger,
    storage: FolderStorage,
    shapes: list[shapely.Polygon] | None = None,
    crs: str = "EPSG:32631",
    **more: Any,
) -> UUID:
    """A finished job with so many hotspots, and three tiles."""
    package = package_of(shapes or outlines(COUNT), crs)
    tiles = package_of(outlines(3), "EPSG:32631", "tiles")
    job = catalogued(ledger, storage, **more)
    files = ledger.assets(job)["files"]  # type: ignore[index]
    files["hotspots"] = made(storage, job, "hotspots.gpkg", package, GEOPACKAGE)
    files["tiles-gpkg"] = made(storage, job, "tiles.gpkg", tiles, GEOPACKAGE)
    with_files(ledger, job, files)
    return job


def package_of(shapes: list[shapely.Polygon], crs: str, name: str = "hotspots") -> bytes:
    """The bytes of a GeoPackage."""
    with tempfile.TemporaryDirectory() as folder:
        return write_package(Path(folder) / "p.gpkg", shapes, crs, name).read_bytes()


def with_files(ledger: Ledger, job: UUID, files: dict[str, Any]) -> None:
    """Let a job have these products."""
    with Session(ledger.database) as session, session.begin():
        assets = {"files": files, "skipped": []}
        session.execute(update(Job).where(Job.id == job).values(assets=assets))
