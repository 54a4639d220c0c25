"""Who shows keys that are none: how many from one address, before it has to wait."""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_network

import structlog
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.proxies import Address
from api.rates import TooOften, rate_of
from geogaze.config import Settings

log = structlog.get_logger()

_NAME = "wrong keys"
_ONE_SITE = 64  # bits of IPv6 that one customer of a provider has at least all addresses below


class Knocks:
    """Counts what was shown in vain by address, where requests are counted.

    While that is away nothing is counted: a key is 256 random bits, and the service does not hang
    on it.

    Raises:
        InvalidRequest: the rate cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        rate = settings.wrong_key_rate
        self._limit = None if rate is None else rate_of(rate, "GEOGAZE_WRONG_KEY_RATE")
        store = storage_from_string(settings.rate_store, wrap_exceptions=True)
        self._limiter = FixedWindowRateLimiter(store)

    def check(self, asker: Address | None) -> None:
        """Judge nothing more of an address for a while, once it has shown too much in vain.

        Args:
            asker: whose address it is; None where nobody knows, who is not counted either.

        Raises:
            TooOften: it has.
        """
        if self._limit is None or asker is None:
            return
        key = (_NAME, _site(asker))
        try:
            if self._limiter.test(self._limit, *key):
                return
            until = self._limiter.get_window_stats(self._limit, *key).reset_time
        except StorageError as error:
            log.warning("wrong keys are not counted", error=str(error.__cause__ or error))
            return
        seconds = max(1, round(until - time.time()))
        raise TooOften(
            f"{self._limit.amount} keys or tokens that are none came from your address "
            f"(GEOGAZE_WRONG_KEY_RATE); show one again in {seconds} seconds.",
            seconds,
            {},
        )

    def count(self, asker: Address | None) -> None:
        """Count one that was shown in vain."""
        if self._limit is None or asker is None:
            return
        try:
            self._limiter.hit(self._limit, _NAME, _site(asker))
        except StorageError as error:
            log.warning("wrong keys are not counted", error=str(error.__cause__ or error))


def _site(asker: Address) -> str:
    """The addresses that one party has: of IPv6 it may choose any in its network."""
    if isinstance(asker, IPv6Address):
        return str(ip_network((asker, _ONE_SITE), strict=False))
    return str(asker)
