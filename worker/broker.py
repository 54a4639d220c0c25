"""Redis as the broker: who it is is verified, and what it holds not trusted to be messages."""

from __future__ import annotations

from queue import Empty
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import structlog
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import RedisError

BROKER_AWAY = (OperationalError, RedisError, OSError)
"""What is raised while Redis is down, starting, full or read-only after a fail-over (which kombu
passes on as it is); the next time it may be back."""

log = structlog.get_logger()

_Channel: Any = redis.Channel  # its types lack what is replaced here


class Channel(_Channel):  # type: ignore[misc]
    """Drops what it cannot read: whatever lies in the queue, the worker lives on.

    A message is a hint, nothing more. Its unit, if it meant one, is handed out again.
    """

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (Empty, RedisError, OSError):
            raise  # no message, or no connection: Celery knows what to do
        except Exception:
            log.exception("message dropped: it cannot be read")
            return True


class Transport(redis.Transport):
    """Kombu's, with the channel above."""

    Channel = Channel


def verifying(url: str) -> str:
    """The broker's address, by which whoever answers there over TLS has to show a certificate.

    Kombu asks for none unless told (``ssl_cert_reqs``), so that anybody in between could answer.
    """
    address = urlsplit(url)
    if address.scheme != "rediss" or "ssl_cert_reqs" in parse_qs(address.query):
        return url
    query = "&".join(filter(None, (address.query, "ssl_cert_reqs=required")))
    return urlunsplit(address._replace(query=query))


def distrust_messages() -> None:
    """Use this transport for ``redis://`` and ``rediss://``."""
    here = f"{__name__}:{Transport.__qualname__}"
    TRANSPORT_ALIASES.update(redis=here, rediss=here)
