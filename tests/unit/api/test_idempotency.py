"""The header ``Idempotency-Key``: asked twice, accepted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.ledger.store import Ledger
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.testing import TestClient

LISTENER = "listener.example"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"callback_hosts": (LISTENER,)})


@pytest.fixture
def inputs(scene: Path) -> dict[str, Any]:
    return {"scene": str(scene), "model": "tiny", "classes": ["boat"]}


def ask(http: TestClient, inputs: dict[str, Any], key: str | None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return http.post(EXECUTION, json={"inputs": inputs}, headers=headers)


def test_the_same_key_is_the_same_job(
    http: TestClient, ledger: Ledger, inputs: dict[str, Any]
) -> None:
    first, second = (ask(http, inputs, "monday") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["location"] == second.headers["location"]
    assert first.json() == second.json()
    assert ask(http, inputs, "tuesday").json()["jobID"] != first.json()["jobID"]
    assert len(ledger.jobs(limit=9)) == 2
    # A default that is spelt out asks for nothing else.
    assert ask(http, {**inputs, "overlap": 0.5}, "monday").json() == first.json()


def test_without_a_key_every_request_is_a_job(
    http: TestClient, ledger: Ledger, inputs: dict[str, Any]
) -> None:
    assert len({ask(http, inputs, None).json()["jobID"] for _ in range(2)}) == 2


def test_a_key_stands_for_one_request(
    http: TestClient, ledger: Ledger, inputs: dict[str, Any]
) -> None:
    job = ask(http, inputs, "monday").json()["jobID"]
    answer = ask(http, {**inputs, "overlap": 0}, "monday")
    check_problem(answer, 422)
    assert answer.json()["type"] == "urn:geogaze:problem:idempotency-key-reused"
    assert job in answer.json()["detail"]
    assert len(ledger.jobs(limit=9)) == 1


def test_a_key_stands_for_one_subscriber(
    http: TestClient, ledger: Ledger, inputs: dict[str, Any]
) -> None:
    body = {"inputs": inputs, "subscriber": {"successUri": f"https://{LISTENER}/done"}}
    first, again = (
        http.post(EXECUTION, json=body, headers={"Idempotency-Key": "monday"}) for _ in range(2)
    )
    assert first.json()["jobID"] == again.json()["jobID"]
    answer = ask(http, inputs, "monday")
    check_problem(answer, 422)
    assert "subscriber" in answer.json()["detail"]
    assert len(ledger.jobs(limit=9)) == 1


def test_a_request_that_was_refused_leaves_its_key_free(
    http: TestClient, inputs: dict[str, Any]
) -> None:
    check_problem(ask(http, {**inputs, "classes": ["boot"]}, "monday"), 400)
    assert ask(http, inputs, "monday").status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256], ids=["empty", "long"])
def test_keys_that_are_none(http: TestClient, inputs: dict[str, Any], key: str) -> None:
    check_problem(ask(http, inputs, key), 400)


def test_asked_at_once_they_are_one_job(
    http: TestClient, ledger: Ledger, inputs: dict[str, Any]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(http, inputs, "monday"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["jobID"] for answer in answers}) == 1
    assert len(ledger.jobs(limit=9)) == 1


def test_a_repeat_needs_no_scene(http: TestClient, inputs: dict[str, Any]) -> None:
    first = ask(http, inputs, "monday")
    Path(inputs["scene"]).unlink()
    assert ask(http, inputs, "monday").json()["jobID"] == first.json()["jobID"]
    check_problem(ask(http, inputs, "tuesday"), 400)
