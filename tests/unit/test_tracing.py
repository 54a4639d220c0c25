"""Traces while nobody asks for them, and where they cannot be had. ``make traces`` shows spans."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID, uuid4

import pytest

from geogaze import tracing
from geogaze.errors import GeogazeError
from geogaze.extras import LibraryAbsent
from geogaze.ledger.records import Claim
from geogaze.runner.watcher import Watcher, Watchers

ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def test_nothing_is_imported_where_nobody_asks() -> None:
    code = (
        "import sys, uuid, geogaze.runner.watcher; from geogaze import tracing;"
        "tracing.start_tracing('worker', environ={}); tracing.tell_step(uuid.uuid4(), 'explain');"
        "tracing.tell_job(uuid.uuid4(), 'explain', 'default'); tracing.end_tracing();"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("environ", [{}, {**ASKED, "OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_told_where_it_is_off(environ: dict[str, str]) -> None:
    tracing.start_tracing("api", environ=environ)
    assert tracing.provider() is None


def test_what_is_missing_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(LibraryAbsent, match=r"pip install 'geogaze\[traces\]'") as refused:
        tracing.start_tracing("api", environ=ASKED)
    assert isinstance(refused.value, GeogazeError)
    assert tracing.provider() is None


def test_a_jobs_trace_is_its_own_and_the_same_for_all() -> None:
    job = UUID("0a8b5c34-9d8e-4a2f-8f7e-3b1c2d4e5f60")
    assert tracing.trace_id(job) == tracing.trace_id(UUID(str(job)))
    ids = {tracing.trace_id(uuid4()) for _ in range(50)}
    assert len(ids) == 50
    assert {len(one) for one in ids} == {32}


class _Ails(Watcher):
    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        raise OSError("no figures")


class _Hears(Watcher):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        self.heard.append(outcome)


def test_all_who_look_on_are_told_whatever_ails_one() -> None:
    last = _Hears()
    claim: Claim = None  # type: ignore[assignment]  # nobody here looks at it
    with pytest.raises(OSError, match="no figures"):
        Watchers(_Ails(), last).on_ended(claim, "done", 1.0)
    assert last.heard == ["done"]
