"""What proxies say of a request: who asks, by which scheme, below which path, for which tenant.

Anybody can send these headers. They count from the networks of ``GEOGAZE_TRUSTED_PROXIES`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_TRUSTED, _ASKER = "geogaze.trusted_proxy", "geogaze.asker"
_PREFIX = re.compile(r"(/[\w.~-]+)+", re.ASCII)

Address = IPv4Address | IPv6Address


class Forwarded:
    """Puts what a trusted proxy says in the place of what the connection says.

    Args:
        app: what is served.
        trusted: networks of proxies. What has no address is a socket file, which only those can
            open whom the operator lets, and is trusted.
    """

    def __init__(self, app: ASGIApp, trusted: Iterable[Any]) -> None:
        self._app, self._trusted = app, tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            client, port = scope.get("client") or ("", 0)
            scope[_TRUSTED] = self._is_trusted(client)
            asker = client
            if scope[_TRUSTED]:
                headers = Headers(scope=scope)
                asker = self._who_asks(headers) or ""
                if asker:
                    scope["client"] = (asker, port)
                if (scheme := headers.get("x-forwarded-proto", "").lower()) in {"http", "https"}:
                    scope["scheme"] = scheme
                prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
                if _PREFIX.fullmatch(prefix):
                    scope["root_path"] = prefix
            scope[_ASKER] = address_of(asker)
        await self._app(scope, receive, send)

    def _who_asks(self, headers: Headers) -> str | None:
        """The last address of ``X-Forwarded-For`` that is no proxy of ours: what stands before it
        was sent by whoever that is, who may have made it up.
        """
        chain = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for said in reversed([one.strip() for one in chain]):
            if address_of(said) is None:
                return None
            if not self._is_trusted(said):
                return said
        return None

    def _is_trusted(self, client: str) -> bool:
        address = address_of(client)
        return address is None or any(address in network for network in self._trusted)


def address_of(client: str) -> Address | None:
    """An address as a number, IPv4 also where it is written as IPv6; None for what is none."""
    try:
        address = ip_address(client)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def came_by_proxy(scope: Scope) -> bool:
    """Whether the other end of the connection is one whose headers count."""
    return bool(scope.get(_TRUSTED))


def asker_of(scope: Scope) -> Address | None:
    """The address of whoever asks; None where it is a proxy's that does not say for whom."""
    asker: Address | None = scope.get(_ASKER)
    return asker
