"""Redis over TLS, with a certificate of a CA that only we know: broker and counts of requests."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from limits import parse
from limits.storage import storage_from_string
from typing_extensions import override

from geogaze.config import Settings
from infra.services import Redis
from worker.app import make_app
from worker.broker import BROKER_AWAY


class TlsRedis(Redis):
    """A Redis that speaks TLS alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")

    @override
    def _command(self) -> list[str]:
        return [
            *super()._command(),
            *("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self.folder / "cert.pem")),
            *("--tls-key-file", str(self.folder / "key.pem")),
        ]

    @override
    def _unready(self) -> str | None:
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=2) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
            ):
                secured.sendall(b"PING\r\n")
                return None if secured.recv(200).startswith(b"+PONG") else "no PONG"
        except OSError as error:
            return str(error)

    def address(self, query: str) -> str:
        return f"rediss://127.0.0.1:{self.port}/0?{query}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with TlsRedis(tmp_path_factory.mktemp("redis-tls")) as running:
        yield running


def exchange(url: str) -> Any:
    """A message through the queue, as dispatcher and workers send and take them."""
    celery = make_app(Settings(broker_url=url))
    try:
        celery.send_task("geogaze.run_unit", args=["there"], retry=False)
        with celery.connection_for_read() as connection:
            waiting: Any = connection.SimpleQueue(celery.conf.task_default_queue)
            message = waiting.get(timeout=5)
            message.ack()
            waiting.close()
            return message.payload[0]
    finally:
        celery.close()


def test_the_queue_goes_over_tls(server: TlsRedis) -> None:
    assert exchange(server.address(f"ssl_ca_certs={server.ca}")) == ["there"]
    assert exchange(server.address("ssl_cert_reqs=none")) == ["there"], "the operator's own risk"


def test_a_server_that_our_ca_does_not_know_is_not_talked_to(
    server: TlsRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kombu would, unless the address says ``ssl_cert_reqs=required``."""
    monkeypatch.setattr("redis.retry.sleep", lambda seconds: None)
    with pytest.raises(BROKER_AWAY, match="certificate verify failed"):
        exchange(server.address(""))


def test_requests_are_counted_over_tls(server: TlsRedis) -> None:
    url = server.address(f"ssl_ca_certs={server.ca}")
    store = storage_from_string(url, wrap_exceptions=True)
    key = parse("2/minute").key_for("tls")
    assert [store.incr(key, 60) for _ in range(2)] == [1, 2]
