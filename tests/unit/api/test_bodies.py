"""Limits and heads below HTTP, where no client and no server tidies up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.middleware import Headed, Limited

Message = dict[str, Any]


def scope(method: str, **headers: str) -> Message:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": "/jobs",
        "query_string": b"",
        "headers": named,
    }


def test_a_body_that_says_it_is_too_long_is_not_waited_for() -> None:
    said: list[Message] = []

    async def never(*_: Any) -> Message:
        pytest.fail("nobody reads it")

    async def send(message: Any) -> None:
        said.append(message)

    limited = Limited(never, 10)  # type: ignore[arg-type]
    asyncio.run(limited(scope("POST", content_length="11"), never, send))
    assert said[0]["status"] == 413


def test_the_answer_to_head_is_the_head_of_get_alone() -> None:
    said: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"[1, 2]", "more_body": False})

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(Headed(app)(scope("HEAD"), receive, send))
    assert said[0] == {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    assert b"".join(message.get("body", b"") for message in said) == b""
    said.clear()
    asyncio.run(Headed(app)(scope("GET"), receive, send))
    assert said[1]["body"] == b"[1, 2]"
