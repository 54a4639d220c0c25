"""How often a tenant may ask, and how that is told."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from geogaze.config import Settings
from geogaze.errors import GeogazeError, InvalidRequest

log = structlog.get_logger()

Headers = dict[str, str]


class TooOften(GeogazeError):
    """A tenant, or an address, asks more often than it may."""

    status = 429
    slug = "too-often"
    title = "That is too often"

    def __init__(self, message: str, seconds: float, headers: Headers) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.headers = headers


@dataclass(frozen=True)
class _Rate:
    name: str
    setting: str
    limit: RateLimitItem


class Rates:
    """Counts requests by tenant, in this process or in Redis for all.

    Raises:
        InvalidRequest: a rate cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        told = {"requests": settings.request_rate, "changes": settings.submit_rate}
        setting = {"requests": "GEOGAZE_REQUEST_RATE", "changes": "GEOGAZE_SUBMIT_RATE"}
        self._rates = [
            _Rate(name, setting[name], rate_of(rate, setting[name]))
            for name, rate in told.items()
            if rate is not None
        ]
        store = storage_from_string(settings.rate_store, wrap_exceptions=True)
        self._limiter = FixedWindowRateLimiter(store)

    def count(self, tenant: str, *, changes: bool) -> Headers:
        """Count a request; headers of its answer.

        Where Redis is away, requests are not counted: the service does not depend on it.

        Raises:
            TooOften: the tenant has used up what it may.
        """
        policies, lefts = [], []
        for rate in self._rates:
            if rate.name == "changes" and not changes:
                continue
            try:
                allowed = self._limiter.hit(rate.limit, rate.name, tenant)
                until, left = self._limiter.get_window_stats(rate.limit, rate.name, tenant)
            except StorageError as error:
                log.warning("requests are not counted", error=str(error.__cause__ or error))
                return {}
            seconds = max(1, round(until - time.time()))
            span = rate.limit.get_expiry()
            policies.append(f'"{rate.name}";q={rate.limit.amount};w={span}')
            lefts.append(f'"{rate.name}";r={left};t={seconds}')
            headers = {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(lefts)}
            if not allowed:
                raise TooOften(
                    f"No more than {rate.limit.amount} {rate.name} in {span} seconds "
                    f"({rate.setting}); ask again in {seconds}.",
                    seconds,
                    headers,
                )
        return headers if policies else {}


def rate_of(rate: str, setting: str) -> RateLimitItem:
    """A rate as it is written in a setting.

    Raises:
        InvalidRequest: it cannot be read.
    """
    try:
        return parse(rate)
    except ValueError as error:
        raise InvalidRequest(f"{setting}: {rate!r} is not like 1200/minute.") from error
