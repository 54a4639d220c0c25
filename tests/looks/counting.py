"""What clients ask a server for: how often, and how much they get."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Count:
    """What was asked for since the last time."""

    paths: tuple[str, ...]
    failed: tuple[str, ...]
    size: int

    @property
    def requests(self) -> int:
        return len(self.paths)


class Counted:
    """An application that counts requests and the bytes of their answers' bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._lock = app, Lock()
        self._paths: list[str] = []
        self._failed: list[str] = []
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and count it."""
        if scope["type"] == "http":
            with self._lock:
                self._paths.append(f"{scope['method']} {scope['path']}")

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                with self._lock:
                    self._failed.append(f"{scope['path']}: {message['status']}")
            if scope["type"] == "http" and scope["method"] != "HEAD":
                with self._lock:
                    self._size += len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, counted)

    def taken(self) -> Count:
        """What was counted, which begins anew."""
        with self._lock:
            count = Count(tuple(self._paths), tuple(self._failed), self._size)
            self._paths, self._failed, self._size = [], [], 0
        return count
