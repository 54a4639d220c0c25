"""An S3 endpoint that fails now and then, in front of one that does not."""

from __future__ import annotations

import http.client
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}
_ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>injected</Message></Error>"


class FaultyS3:
    """Forwards requests to ``endpoint``; while ``share`` is above 0, that share of them fails."""

    def __init__(self, endpoint: str, seed: int) -> None:
        self._target = urlsplit(endpoint)
        self._chance = random.Random(seed)
        self.share = 0.0
        self.slow_seconds = 2.0
        self.injected = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                proxy._handle(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass  # a client that was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self._chance.random() < self.share:
            self.injected += 1
            kind = self._chance.choice([500, 503, 0])
            if kind:
                code = b"InternalError" if kind == 500 else b"SlowDown"
                self._answer(request, kind, [("Content-Type", "application/xml")], _ERROR % code)
                return
            time.sleep(self.slow_seconds)
        connection = http.client.HTTPConnection(
            self._target.hostname or "", self._target.port, timeout=60
        )
        try:
            # The signature covers the Host header, so it stays as the client sent it.
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP]
            self._answer(request, answer.status, kept, content)
        except OSError:
            self._answer(request, 503, [], _ERROR % b"ServiceUnavailable")
        finally:
            connection.close()

    def _answer(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None:
        try:
            request.send_response_only(status)
            sized = False
            for name, value in headers:
                request.send_header(name, value)
                sized = sized or name.lower() == "content-length"
            if not sized:
                request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            if request.command != "HEAD":
                request.wfile.write(body)
        except OSError:
            request.close_connection = True  # the client was killed
