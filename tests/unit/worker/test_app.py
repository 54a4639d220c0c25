"""Celery as it is run here: what units, CUDA and the turns of jobs rely on."""

from __future__ import annotations

from typing import Any

import pytest
from celery.concurrency import get_implementation

import worker.app
import worker.child
from geogaze.config import Settings
from geogaze.ledger.queue import LEVELS
from worker.app import make_app


@pytest.fixture
def conf(settings: Settings) -> Any:
    return make_app(settings).conf


def test_children_are_spawned_for_cuda_does_not_survive_a_fork(conf: Any) -> None:
    assert conf.worker_pool == "prefork"
    assert get_implementation(conf.worker_pool).__name__ == "TaskPool"
    assert conf.worker_pool_start_method == "spawn"
    assert conf.worker_concurrency == 1, "lanes are threads, and the device is one"


def test_no_message_waits_in_a_worker_that_is_busy(conf: Any) -> None:
    """Else whoever is urgent waits behind what a busy worker has fetched."""
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_disable_prefetch


def test_a_message_is_done_with_when_its_task_returns_whatever_kills_the_worker(
    settings: Settings,
) -> None:
    celery = make_app(settings)

    @celery.task(name="test")
    def task() -> None: ...

    assert task.acks_late
    assert task.reject_on_worker_lost
    assert task.ignore_result


def test_levels_are_the_brokers_priorities_and_the_lowest_goes_first(conf: Any) -> None:
    options = conf.broker_transport_options
    assert options["queue_order_strategy"] == "priority"
    assert options["priority_steps"] == list(range(LEVELS))
    assert options["visibility_timeout"] >= 600, "longer than a lane takes to get free"


def test_an_outage_of_the_broker_is_waited_out_with_units_in_hand(conf: Any) -> None:
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_connection_max_retries is None
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss


def test_messages_are_json_and_never_code(conf: Any) -> None:
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"


class Leaving:
    """Lanes and worker of a process that is told to stop; ``did`` says in which order."""

    def __init__(self) -> None:
        self.did: list[tuple[str, float]] = []

    def close(self, patience: float, grace: float) -> None:
        self.did.append(("close", patience + grace))

    def leave(self) -> None:
        self.did.append(("leave", 0.0))


def test_a_worker_that_leaves_gives_its_units_a_while_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leaving = Leaving()
    monkeypatch.setattr(worker.child, "these_lanes", lambda: leaving)
    monkeypatch.setattr(worker.child, "this_worker", lambda: leaving)
    worker.app._leave()
    (close, seconds), (leave, _) = leaving.did
    assert (close, leave) == ("close", "leave")
    assert 0 < seconds < worker.app._SOFT_SHUTDOWN_SECONDS
