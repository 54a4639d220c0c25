"""Hosts of scenes on loopback: one that serves over HTTPS with ranges, and fails as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import trustme

_PAUSE = 0.05  # between the bytes of a host that drips


class Host:
    """Serves a folder's files. ``mood`` says how: ``well``, ``silent`` (takes a connection and
    says nothing until the host is closed), ``drip`` (a header that never ends), ``reset`` (hangs
    up), ``to URL`` (redirects), ``short`` (half a range, and says so), ``hangs up`` (half a range,
    and does not), ``elsewhere`` (another range), ``all of it`` (200), or a status. ``after`` leaves
    so many requests as they should be, and ``until`` those from so many on.
    """

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.mood = "well"
        self.after = 0
        self.until: int | None = None
        self.asked: list[str] = []
        self.closing = threading.Event()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def name(self) -> str:
        """As the list of allowed hosts has it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def uri(self, name: str) -> str:
        """The address of a file."""
        return f"https://{self.name}/{name}"

    def mood_now(self, asked: str) -> str:
        """How to answer this request."""
        with self._changed:
            self.asked.append(asked)
            self.after -= 1
            self._changed.notify_all()
            if self.until is not None:
                self.until -= 1
            over = self.until is not None and self.until < 0
            return self.mood if self.after < 0 and not over else "well"

    def wait_for_requests(self, count: int) -> None:
        """Wait until it was asked so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= count, 30)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # the client has had enough

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            mood = host.mood_now(f"{self.command} {self.path}")
            if mood == "silent":
                host.closing.wait()
                self.close_connection = True
            elif mood == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not host.closing.wait(_PAUSE):
                    self.wfile.write(b"x")
            elif mood == "reset":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            elif mood.startswith("to "):
                self._answer(302, b"", Location=mood.removeprefix("to "))
            elif mood.isdigit():
                self._answer(int(mood), b"")
            else:
                self._serve(host.folder / self.path.strip("/").partition("?")[0], mood)

        def _serve(self, path: Path, mood: str) -> None:
            if not path.is_file():
                self._answer(404, b"")
                return
            data, found = path.read_bytes(), path.stat()
            tag = f'"{found.st_mtime_ns}"'
            first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if not first or mood == "all of it":
                self._answer(200, data, ETag=tag)
                return
            start = int(first) + (mood == "elsewhere")
            part = data[start : int(last or len(data)) + 1]
            length = len(part)
            if mood in {"short", "hangs up"}:
                part = part[: length // 2]
            if mood == "short":
                length = len(part)
            span = f"bytes {start}-{start + length - 1}/{len(data)}"
            self._answer(206, part, length, ETag=tag, **{"Content-Range": span})

        def _answer(
            self, status: int, body: bytes, length: int | None = None, **headers: str
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)
            if length not in {None, len(body)}:
                self.close_connection = True

    return Handler


def make_authority(folder: Path, setenv: Callable[[str, str], None]) -> trustme.CA:
    """An authority whose certificates GDAL and httpx trust, set up as operators would."""
    authority = trustme.CA()
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(path)
    for name in ("GDAL_CURL_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        setenv(name, str(path))
    return authority
