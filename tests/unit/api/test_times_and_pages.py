"""What lists and results depend on besides jobs: the clock's zone, odd pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from geogaze.ledger.store import Ledger
from tests.unit.api.test_jobs import ids, link, place
from tests.unit.api.testing import TestClient
from tests.unit.ledger.suite import submit


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server whose clock shows another zone than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_times_without_a_zone_are_utc_wherever_the_server_stands(
    http: TestClient, ledger: Ledger
) -> None:
    job = submit(ledger)
    place(ledger, job, datetime(2026, 5, 3, 12, tzinfo=UTC))
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T12:00:00"})) == [str(job)]
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T21:00:00+09:00"})) == [str(job)]
    assert ids(http.get("/jobs", params={"datetime": "2026-05-03T21:00:00"})) == []


def test_the_page_before_an_odd_one_is_the_first(http: TestClient, ledger: Ledger) -> None:
    for _ in range(3):
        submit(ledger)
    odd = http.get("/jobs", params={"limit": 2, "offset": 1})
    before = http.get(link(odd, "prev") or "")
    assert ids(before) == ids(http.get("/jobs", params={"limit": 2}))
