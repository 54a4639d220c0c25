"""The trace of a job, from its request to its end, as an exporter gets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from geogaze import tracing
from geogaze.config import Settings
from geogaze.errors import SceneUnreadable
from geogaze.ledger.queue import Queue
from geogaze.runner.phases import echo
from geogaze.runner.watcher import UnitSpans, Watcher, Watchers
from geogaze.runner.work import Worker
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.worker.test_dispatcher import Broker
from worker.dispatcher import Dispatcher


class Counting(Watcher):
    """Counts ends of units, and breaks."""

    ended = 0

    def on_ended(self, *_: Any) -> None:
        self.ended += 1
        raise OSError("figures cannot be written")


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    tracing.end_tracing()


@pytest.fixture
def settings(tmp_path: Path, bundle_folder: Path) -> Settings:
    return make_settings(tmp_path, bundle_folder)


def worked_off(settings: Settings) -> UUID:
    """A job over HTTP, handed out by a dispatcher and done by a worker."""
    with TestClient(make_app(settings)) as http:
        path = "/processes/echo/execution"
        body = {"inputs": {"string": "hello"}}
        answer = http.post(path, json=body, headers={"Prefer": "respond-async"})
        job = UUID(answer.json()["jobID"])
        worker = Worker.from_settings(settings, watcher=Watchers(Counting(), UnitSpans()))
        database, broker = worker.resources.ledger.database, Broker()
        dispatcher: Any = Dispatcher(settings, Queue(database), broker)  # type: ignore[arg-type]
        assert dispatcher.round() == 1
        assert worker.run(broker.units[0])
        database.dispose()
    return job


def test_one_trace_leads_from_the_request_to_the_last_unit(
    settings: Settings, exporter: InMemorySpanExporter
) -> None:
    tracing.start_tracing("api", exporter)
    job = worked_off(settings)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    asked = spans["POST /processes/{process}/execution"]
    assert asked.attributes["geogaze.job"] == str(job)
    begun, handed_out, done = spans["job echo"], spans["hand out"], spans["echo"]
    assert f"{begun.context.trace_id:032x}" == tracing.trace_id(job)
    assert begun.parent is None
    assert [link.context.span_id for link in begun.links] == [asked.context.span_id]
    assert begun.context.trace_id != asked.context.trace_id
    for step in (handed_out, done):
        assert step.context.trace_id == begun.context.trace_id
        assert step.parent.span_id == begun.context.span_id
        assert step.attributes["geogaze.unit"] == handed_out.attributes["geogaze.unit"]
    assert begun.end_time <= handed_out.end_time <= done.end_time
    assert done.start_time < done.end_time
    assert (done.attributes["geogaze.outcome"], done.attributes["geogaze.attempt"]) == ("done", 1)
    assert done.resource.attributes["service.name"] == "geogaze-api", "all are one process here"


def test_an_attempt_that_failed_says_of_what(
    settings: Settings, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise SceneUnreadable("damaged")

    monkeypatch.setattr(echo, "keep", broken)
    tracing.start_tracing("worker", exporter)
    worked_off(settings)
    (done,) = (span for span in exporter.get_finished_spans() if span.name == "echo")
    assert done.attributes["geogaze.outcome"] == SceneUnreadable.slug


@pytest.mark.parametrize(("share", "count"), [("0.0", 0), ("1.0", 3)])
def test_a_jobs_trace_is_sampled_whole_or_not(
    settings: Settings,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    share: str,
    count: int,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    tracing.start_tracing("api", exporter)
    worked_off(settings)
    steps = [s for s in exporter.get_finished_spans() if s.name in {"job echo", "hand out", "echo"}]
    assert len(steps) == count


def test_half_of_all_traces_are_half_of_all_jobs(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of jobs are not random in all bits; those of traces are."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    tracing.start_tracing("worker", exporter)
    for number in range(400):
        job = UUID(int=number, version=4)
        tracing.tell_job(job, "echo", "default")
        tracing.tell_step(job, "echo")
    spans = exporter.get_finished_spans()
    begun = {span.context.trace_id for span in spans if span.name == "job echo"}
    done = {span.context.trace_id for span in spans if span.name == "echo"}
    assert begun == done
    assert 60 < len(begun) < 140
