"""A Redis server."""

import shutil
import socket
from pathlib import Path
from typing import ClassVar

from infra.services.server import LOOPBACK, Server, ServiceError


class Redis(Server):
    """A Redis server from the ``redis-server`` (or ``valkey-server``) on the path.

    Args:
        folder: The server's own folder.
        appendonly: Whether data survives a restart, and every acknowledged write survives
            ``kill()``. Without it each start is empty.
        port: The loopback port to listen on; a free one if not given.
    """

    name: ClassVar[str] = "redis"

    def __init__(self, folder: Path, *, appendonly: bool = False, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self.appendonly = appendonly

    @property
    def url(self) -> str:
        """The URL of database 0; the server has the usual 16."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        """Needs nothing but the folder."""

    def _command(self) -> list[str]:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise ServiceError("no redis-server on the path: install Redis or Valkey")
        return [
            binary,
            *("--bind", LOOPBACK),
            *("--port", str(self.port)),
            *("--dir", str(self.folder)),
            *("--appendonly", "yes" if self.appendonly else "no"),
            *("--save", ""),
            *("--loglevel", "notice"),
        ]

    def _unready(self) -> str | None:
        # By hand, as a client library would retry and so hide how the server does.
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                reply = connection.recv(200)
        except OSError as error:
            return str(error)
        return None if reply.startswith(b"+PONG") else f"PING was answered {reply!r}"
