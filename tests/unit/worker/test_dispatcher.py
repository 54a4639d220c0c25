"""The dispatcher's rounds, with a broker made up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError as DatabaseError
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit
from tests.unit.ledger.test_store import submit
from worker.app import QUEUE, make_app
from worker.dispatcher import Dispatcher


class Broker:
    """Takes messages as Celery does; ``works`` says whether."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], str]] = []
        self.works: Callable[[], bool] = lambda: True

    def send_task(self, name: str, args: list[str], queue: str, **_: Any) -> None:
        if not self.works():
            raise BrokerError("Error 111 connecting to redis")
        self.messages.append((name, args, queue))

    @property
    def units(self) -> list[UUID]:
        return [UUID(args[0]) for _, args, _ in self.messages]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def dispatcher(settings: Settings, ledger: Ledger, broker: Broker) -> Dispatcher:
    return Dispatcher(settings, ledger, broker)  # type: ignore[arg-type]


def states(ledger: Ledger) -> list[UnitState]:
    with Session(ledger.engine) as session:
        return list(session.scalars(select(Unit.state).order_by(Unit.position)))


def age(ledger: Ledger, seconds: float) -> None:
    """Let time pass for what was dispatched."""
    with Session(ledger.engine) as session, session.begin():
        session.execute(update(Unit).values(dispatched_at=Unit.dispatched_at - seconds))


def claim(ledger: Ledger, unit: UUID) -> None:
    assert Claims(ledger.engine, lease_seconds=30, max_attempts=3).claim(unit, "worker")


def test_due_units_are_sent_once(ledger: Ledger, dispatcher: Dispatcher, broker: Broker) -> None:
    assert dispatcher.round() == 0
    submit(ledger, 5)
    assert [dispatcher.round(), dispatcher.round()] == [3, 0]  # three may lie in the broker
    claim(ledger, broker.units[0])
    assert dispatcher.round() == 1
    for unit in broker.units[1:]:
        claim(ledger, unit)
    assert dispatcher.round() == 1
    assert len(set(broker.units)) == len(broker.units) == 5
    assert {(name, queue) for name, _, queue in broker.messages} == {("geogaze.run_unit", QUEUE)}


def test_a_lost_message_is_sent_again(
    ledger: Ledger, dispatcher: Dispatcher, broker: Broker
) -> None:
    submit(ledger)
    dispatcher.round()
    age(ledger, 29)
    assert dispatcher.round() == 0
    age(ledger, 2)
    assert dispatcher.round() == 1
    assert broker.units[0] == broker.units[1]


def test_a_broker_that_is_away_loses_no_unit(
    ledger: Ledger, dispatcher: Dispatcher, broker: Broker
) -> None:
    submit(ledger, 3)
    budget = iter([True, False])
    broker.works = lambda: next(budget)
    with pytest.raises(BrokerError):
        dispatcher.round()
    assert len(broker.messages) == 1
    claim(ledger, broker.units[0])
    broker.works = lambda: True
    age(ledger, 31)
    dispatcher.round()
    assert len(set(broker.units)) == len(broker.units) == 3
    assert UnitState.PENDING not in states(ledger)


@pytest.mark.parametrize("error", [BrokerError("away"), DatabaseError("x", {}, OSError("away"))])
def test_outages_are_waited_out(
    ledger: Ledger, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stop, rounds = threading.Event(), []

    def round_() -> int:
        rounds.append(time.monotonic())
        if len(rounds) < 4:
            raise error
        stop.set()
        return 1

    monkeypatch.setattr(dispatcher, "round", round_)
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(rounds) == 4
    assert rounds[3] - rounds[0] >= 3 * 0.01  # it does not spin


def test_what_is_not_an_outage_ends_the_process(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> int:
        raise KeyError("bug")

    monkeypatch.setattr(dispatcher, "round", broken)
    with pytest.raises(KeyError):
        dispatcher.run(threading.Event())


def test_a_dead_redis_raises_what_the_dispatcher_waits_out(
    settings: Settings, ledger: Ledger
) -> None:
    celery = make_app(settings.model_copy(update={"broker_url": "redis://127.0.0.1:9/0"}))
    celery.conf.broker_connection_timeout = 0.1
    submit(ledger)
    with pytest.raises(BrokerError):
        Dispatcher(settings, ledger, celery).round()
    celery.close()


def test_celery_runs_as_a_hint_queue(settings: Settings) -> None:
    conf = make_app(settings).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.task_ignore_result
    assert conf.worker_prefetch_multiplier == 1
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.broker_transport_options["visibility_timeout"] >= 600
