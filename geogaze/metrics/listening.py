"""A port for Prometheus, of a process that has no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    disable_created_metrics,
    start_http_server,
)

from geogaze.errors import InvalidRequest
from geogaze.version import VERSION

log = structlog.get_logger()

disable_created_metrics()  # when each series began: as many again, and nobody asks


@contextmanager
def listening(address: str | None, registry: CollectorRegistry) -> Iterator[None]:
    """Answer Prometheus meanwhile, on a thread of its own.

    Args:
        address: ``HOST:PORT``; None: nobody is answered.
        registry: what it is told.

    Raises:
        InvalidRequest: the address cannot be had.
    """
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except (OSError, OverflowError) as error:
        raise InvalidRequest(
            f"GEOGAZE_METRICS_LISTEN={address} cannot be had: {error}. Give each worker and each "
            "dispatcher of a machine a port of its own."
        ) from error
    log.info("metrics are served", address=address)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tell_version(registry: CollectorRegistry, part: str) -> None:
    """Say which part of geogaze this is, and of which release."""
    about = Gauge("geogaze_info", "What this is, always 1.", ("part", "version"), registry=registry)
    about.labels(part, VERSION).set(1)
