"""What real Redis and Celery make of messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from geogaze.config import Settings
from geogaze.ledger.queue import LEVELS
from worker.app import make_app

QUEUE = f"test-{uuid4().hex}"


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    made = make_app(Settings(broker_url=redis_url))
    made.conf.task_default_queue = QUEUE
    yield made
    with made.connection_for_write() as connection:
        connection.default_channel.queue_delete(QUEUE)
    made.close()


def send(celery: Celery, level: int) -> None:
    celery.send_task("geogaze.run_unit", args=[str(level)], queue=QUEUE, priority=level)


def test_of_waiting_messages_the_lowest_level_comes_first_each_level_by_itself(
    celery: Celery,
) -> None:
    levels = [9, 4, 5, 3, 8, 0, 7, 1, 6, 2]
    assert sorted(levels) == list(range(LEVELS))
    for level in levels:
        send(celery, level)
    with celery.connection_for_read() as connection:
        waiting = connection.SimpleQueue(QUEUE)
        got = [waiting.get(timeout=5) for _ in levels]
        for message in got:
            message.ack()
        waiting.close()
    assert [message.properties["priority"] for message in got] == sorted(levels)


def test_a_message_that_is_not_acknowledged_comes_again(celery: Celery) -> None:
    """As when its worker is killed: the broker keeps it until the task has returned."""
    send(celery, 0)
    with celery.connection_for_read() as connection:
        waiting: Any = connection.SimpleQueue(QUEUE)
        message = waiting.get(timeout=5)
        message.requeue()
        again = waiting.get(timeout=5)
        again.ack()
        waiting.close()
    assert again.payload == message.payload
