"""What real Redis and Celery make of messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
import structlog
from celery import Celery

from geogaze.config import Settings
from geogaze.ledger.queue import LEVELS
from worker.app import make_app
from worker.broker import BROKER_AWAY

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


def test_a_redis_that_takes_no_writes_is_one_that_is_away(celery: Celery, redis_url: str) -> None:
    """As after a fail-over: it answers, and refuses. It ended the dispatcher, and workers."""
    client = redis.Redis.from_url(redis_url)
    client.replicaof("127.0.0.1", "9")
    try:
        with pytest.raises(BROKER_AWAY, match="read only"):
            send(celery, 0)
    finally:
        client.replicaof("NO", "ONE")
        client.close()
    assert celery.conf.broker_channel_error_retry


RUBBISH = ["no JSON", "[]", "{}", "7", '{"properties": {}, "headers": 3}', b"\xff\xfe"]


def test_what_is_no_message_is_dropped_with_a_word_and_the_next_is_taken(
    celery: Celery, redis_url: str
) -> None:
    """Any of these ended the worker that took it, and its successor with the next."""
    client = redis.Redis.from_url(redis_url)
    for rubbish in RUBBISH:
        client.lpush(QUEUE, rubbish)
    client.close()
    send(celery, 0)
    with (
        structlog.testing.capture_logs() as logged,
        celery.connection_for_read() as connection,
    ):
        waiting: Any = connection.SimpleQueue(QUEUE)
        message = waiting.get(timeout=20)
        message.ack()
        waiting.close()
    assert message.payload[0] == ["0"]
    assert [entry["event"] for entry in logged].count("message dropped: it cannot be read") == len(
        RUBBISH
    )
