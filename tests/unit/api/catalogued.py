"""Finished jobs as the catalogue's tests have them: an Item, and nothing drawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pystac
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.storage import FolderStorage
from tests.unit.api.test_assets import COG, made
from tests.unit.ledger.suite import submission

SQUARE = [[[2.0, 48.0], [2.2, 48.0], [2.2, 48.2], [2.0, 48.2], [2.0, 48.0]]]
WHEN = datetime(2026, 11, 30, 6, 30, 0, 123456, UTC)


def catalogued(
    ledger: Ledger,
    storage: FolderStorage,
    *,
    when: datetime = WHEN,
    model: str = "tiny",
    sure: float = 0.75,
    ring: list[Any] = SQUARE,
    tenant: str = "default",
    **files: dict[str, Any],
) -> UUID:
    """A finished job with an Item of one layer and a table; ``files`` are further ones."""
    job = ledger.submit(submission(tenant=tenant))
    lons, lats = zip(*ring[0], strict=True)
    item = pystac.Item(
        id=str(job),
        geometry={"type": "Polygon", "coordinates": ring},
        bbox=[min(lons), min(lats), max(lons), max(lats)],
        datetime=when,
        properties={"geogaze:model": model, "proj:code": "EPSG:32631"},
    )
    about = {"geogaze:best_of_tiles": 4, "geogaze:highest_probability": sure}
    item.add_asset("heat-old port", pystac.Asset("./heat-old port.tif", None, None, COG))
    item.assets["heat-old port"].extra_fields |= about
    item.add_link(pystac.Link("derived_from", "s3://imagery/port.tif"))
    text = json.dumps(item.to_dict(include_self_link=False)).encode()
    products = {
        "heat-old port": made(storage, job, "heat-old port.tif", b"II*", COG),
        **files,
        "item": made(storage, job, "item.json", text, "application/geo+json"),
    }
    with Session(ledger.database) as session, session.begin():
        done = {"state": JobState.SUCCESSFUL, "assets": {"files": products, "skipped": []}}
        session.execute(update(Job).where(Job.id == job).values(done))
    return job
