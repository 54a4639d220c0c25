"""Limits and heads below HTTP, where no client and no server tidies up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.middleware import Headed, Limited

Message = dict[str, Any]


def scope(method: str, path: str = "/jobs", **headers: str) -> Message:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": named,
    }


PART = "/uploads/8853cb49-145e-4aaa-8aaa-145e8853cb49/parts/7"


@pytest.mark.parametrize(("path", "length"), [("/jobs", "11"), (PART, "21"), (f"{PART}/x", "11")])
def test_a_body_that_says_it_is_too_long_is_not_waited_for(path: str, length: str) -> None:
    said: list[Message] = []

    async def never(*_: Any) -> Message:
        pytest.fail("nobody reads it")

    async def send(message: Any) -> None:
        said.append(message)

    limited = Limited(never, 10, part=20)  # type: ignore[arg-type]
    asyncio.run(limited(scope("PUT", path, content_length=length), never, send))
    assert said[0]["status"] == 413


def test_parts_of_uploads_may_be_longer_than_documents() -> None:
    came: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        came.append(len((await receive())["body"]))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * 20}

    limited = Limited(app, 10, part=20)  # type: ignore[arg-type]
    asyncio.run(limited(scope("PUT", PART, content_length="20"), receive, receive))  # type: ignore[arg-type]
    assert came == [20]


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
