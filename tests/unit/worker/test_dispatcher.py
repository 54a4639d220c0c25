"""The dispatcher's rounds, with a broker made up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ReadOnlyError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.claims import Claims
from geogaze.ledger.queue import Queue
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Lead, Unit
from geogaze.ledger.workers import Report, Workers
from tests.unit.ledger.suite import patience
from tests.unit.ledger.test_store import submit
from tests.unit.worker.conftest import AWAY
from worker.app import QUEUE, make_app
from worker.broker import BROKER_AWAY
from worker.dispatcher import Dispatcher


class Broker:
    """Takes messages as Celery does, and gives its depth; ``works`` says whether."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], str, int]] = []
        self.message_count = 0
        self.works: Callable[[], bool] = lambda: True

    def send_task(self, name: str, args: list[str], queue: str, priority: int, **_: Any) -> None:
        if not self.works():
            raise BrokerError("Error 111 connecting to redis")
        self.messages.append((name, args, queue, priority))
        self.message_count += 1

    @contextmanager
    def connection_for_write(self) -> Iterator[Broker]:
        yield self

    @property
    def default_channel(self) -> Broker:
        return self

    def queue_declare(self, queue: str, durable: bool) -> Broker:
        assert (queue, durable) == (QUEUE, True)
        return self

    @property
    def units(self) -> list[UUID]:
        return [UUID(args[0]) for _, args, *_ in self.messages]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def queue(ledger: Ledger) -> Queue:
    return Queue(ledger.database)


@pytest.fixture
def dispatcher(settings: Settings, queue: Queue, broker: Broker) -> Dispatcher:
    return Dispatcher(settings, queue, broker)  # type: ignore[arg-type]


def states(ledger: Ledger) -> list[UnitState]:
    with Session(ledger.database) as session:
        return list(session.scalars(select(Unit.state).order_by(Unit.position)))


def age(ledger: Ledger, seconds: float) -> None:
    """Let time pass for what was dispatched."""
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Unit).values(dispatched_at=Unit.dispatched_at - seconds))


def claim(ledger: Ledger, unit: UUID) -> None:
    assert Claims(ledger.database, lease_seconds=30, patience=patience(3)).claim(unit, "worker")


def test_due_units_are_sent_once(ledger: Ledger, dispatcher: Dispatcher, broker: Broker) -> None:
    assert dispatcher.round() == 0
    submit(ledger, 6)
    assert [dispatcher.round(), dispatcher.round()] == [4, 0]  # four may lie in the broker
    claim(ledger, broker.units[0])
    assert dispatcher.round() == 1
    for unit in broker.units[1:]:
        claim(ledger, unit)
    assert dispatcher.round() == 1
    assert len(set(broker.units)) == len(broker.units) == 6
    sent = {(name, queue) for name, _, queue, _ in broker.messages}
    assert sent == {("geogaze.run_unit", QUEUE)}


def test_as_many_are_sent_as_workers_soon_take(
    ledger: Ledger, settings: Settings, dispatcher: Dispatcher
) -> None:
    for name in ("a", "b"):
        Workers(ledger.database).report(Report(name, 5))
    submit(ledger, 100)
    assert dispatcher.round() == 10 * settings.messages_per_slot


def test_messages_of_a_job_with_little_in_hand_overtake(
    ledger: Ledger, dispatcher: Dispatcher, broker: Broker
) -> None:
    submit(ledger, 3)
    dispatcher.round()
    small = submit(ledger)
    dispatcher.round()
    assert [priority for *_, priority in broker.messages] == [0, 1, 2, 0]
    with Session(ledger.database) as session:
        assert session.get_one(Unit, broker.units[3]).job_id == small


@pytest.mark.parametrize(("depth", "patience"), [(4, 30), (0, 5)])
def test_a_lost_message_is_sent_again_soon_where_the_queue_is_empty(
    ledger: Ledger, dispatcher: Dispatcher, broker: Broker, depth: int, patience: int
) -> None:
    submit(ledger)
    dispatcher.round()
    broker.message_count = depth
    age(ledger, patience - 1)
    assert dispatcher.round() == 0
    age(ledger, 2)
    assert dispatcher.round() == 1
    assert broker.units[0] == broker.units[1]


def test_a_second_dispatcher_stands_by_until_the_first_is_silent(
    settings: Settings, ledger: Ledger, queue: Queue, dispatcher: Dispatcher, broker: Broker
) -> None:
    second = Dispatcher(settings, queue, broker)  # type: ignore[arg-type]
    second._name = "another"
    submit(ledger, 4)
    assert (dispatcher.round(), second.round()) == (4, 0)
    assert (dispatcher.leads, second.leads) == (True, False)
    for unit in broker.units:
        claim(ledger, unit)
    submit(ledger, 2)
    assert second.round() == 0
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Lead).values(until=1.0))
    assert second.round() == 2
    assert dispatcher.round() == 0
    assert (dispatcher.leads, second.leads) == (False, True)


def test_who_is_told_to_stop_resigns(
    settings: Settings, queue: Queue, dispatcher: Dispatcher, broker: Broker
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        end = time.monotonic() + 10
        while not dispatcher.leads and time.monotonic() < end:
            time.sleep(0.01)
        assert not queue.lead("dispatcher", "another", 30)
    finally:
        stop.set()
        thread.join(10)
    assert queue.lead("dispatcher", "another", 30)


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
    broker.message_count = 0
    age(ledger, 6)
    dispatcher.round()
    assert len(set(broker.units)) == len(broker.units) == 3
    assert UnitState.PENDING not in states(ledger)


def test_who_cannot_resign_for_an_outage_leaves_all_the_same(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise AWAY[0]

    dispatcher.leads = True
    monkeypatch.setattr(dispatcher._queue, "resign", away)
    stop = threading.Event()
    stop.set()
    dispatcher.run(stop)


def test_two_dispatchers_on_one_host_have_two_names(
    settings: Settings, queue: Queue, dispatcher: Dispatcher, broker: Broker
) -> None:
    second = Dispatcher(settings, queue, broker)  # type: ignore[arg-type]
    assert second._name != dispatcher._name


@pytest.mark.parametrize("error", [BrokerError("away"), ReadOnlyError("replica"), *AWAY])
def test_outages_are_waited_out(
    ledger: Ledger, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    waits: list[float | None] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return self.is_set()

    stop, rounds = Stop(), []

    def round_() -> int:
        rounds.append(1)
        if len(rounds) < 4:
            raise error
        stop.set()
        return 1

    monkeypatch.setattr(dispatcher, "round", round_)
    thread = threading.Thread(target=dispatcher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        thread.join(10)
        assert not thread.is_alive()
    finally:
        stop.set()
    assert len(rounds) == 4
    assert waits[:3] == [0.01] * 3, "it does not spin"


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
    with pytest.raises(BROKER_AWAY):
        Dispatcher(settings, Queue(ledger.database), celery).round()
    celery.close()
