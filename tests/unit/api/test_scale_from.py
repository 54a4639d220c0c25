"""Jobs that are scaled as an earlier one, which has to be one's own and finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_quote import QUOTE
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off

OURS, THEIRS = {"X-Tenant": "ours"}, {"X-Tenant": "theirs"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"tenant_header": "X-Tenant"})


def test_a_job_is_scaled_as_ones_own_earlier_one(
    http: TestClient, ledger: Ledger, storage: FolderStorage, settings: Settings, scene: Path
) -> None:
    inputs: dict[str, Any] = {"scene": str(scene), "model": "tiny", "overlays": "none"}
    first = http.post(EXECUTION, json={"inputs": inputs}, headers=OURS).json()["jobID"]

    def asked(job: str, path: str = EXECUTION, **headers: str) -> Any:
        body = {"inputs": {**inputs, "classes": ["boat"], "scale_from": job}}
        return http.post(path, json=body, headers={**OURS, **headers})

    for path in (EXECUTION, QUOTE):
        check_problem(asked(first, path), 400)
        assert "ask again later" in asked(first, path).json()["detail"]
    work_off(settings)
    nobodys = str(uuid4())
    for job, headers in ((first, THEIRS), (nobodys, OURS)):
        answer = asked(job, **headers)
        check_problem(answer, 400)
        assert answer.json()["detail"].endswith(f"There is no job {job}.")
    assert asked(first, QUOTE).json()["layers"] == 1
    second = asked(first).json()["jobID"]
    (scaled,) = ledger.parts(UUID(first), "scale")
    work_off(settings)
    (again,) = ledger.parts(UUID(second), "scale")
    assert again.result["scales"] == scaled.result["scales"][:1]
    assert ledger.request(UUID(second))["scale_from"] == first
    # The Item by itself will do, and is kept as what is needed of it.
    files = (ledger.assets(UUID(first)) or {})["files"]
    body = {"inputs": {**inputs, "scale_from": json.loads(storage.get(files["item"]["key"]))}}
    third = http.post(EXECUTION, json=body, headers=OURS).json()["jobID"]
    kept = ledger.request(UUID(third))["scale_from"]
    assert kept["job"] == first
    assert "assets" not in kept
    echo = http.post("/processes/echo/execution", json={"inputs": {"string": "a"}}, headers=OURS)
    work_off(settings)
    assert "no product 'item'" in asked(echo.json()["jobID"]).json()["detail"]
