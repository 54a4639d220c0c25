"""How a job's products came about: a draft of the standard's, declared as such."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter

from api.dependencies import JobId, With
from api.problems import documented
from api.written import Negotiated
from geogaze.processes.provenance import provenance

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=Negotiated)


@router.get("/{job}/prov", responses=documented(404))
def prov(job_id: JobId, services: With) -> dict[str, Any]:
    """W3C PROV-JSON: which scene in which version, which weights, run by what, made which files.

    The path is that of the draft of OGC API – Processes 2.0 and may change with it. Of a job that
    has not succeeded it tells what was planned.
    """
    ledger = services.ledger
    files: dict[str, dict[str, Any]] = (ledger.assets(job_id) or {}).get("files", {})
    item = json.loads(services.storage.get(files["item"]["key"])) if "item" in files else {}
    about = item.get("properties", {})
    return provenance(ledger.status(job_id), ledger.plan(job_id), files, about)
