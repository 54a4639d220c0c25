"""Redis as the broker, with what it holds not trusted to be messages."""

from __future__ import annotations

from queue import Empty
from typing import Any

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


def distrust_messages() -> None:
    """Use this transport for ``redis://`` and ``rediss://``."""
    here = f"{__name__}:{Transport.__qualname__}"
    TRANSPORT_ALIASES.update(redis=here, rediss=here)
