"""How a scene's host is reached: at an address that was looked at, and at no other.

A name is resolved here, each of its addresses is judged, and the connection goes to one of these: a
name that leads into a private network is refused, and so is one that does so only the second time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.request import getproxies

import httpx
from typing_extensions import override

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reaching(httpx.AsyncHTTPTransport):
    """Connects to public addresses, to networks that an operator listed, and to addresses that
    stand in the URL themselves, which the list of hosts must have had.

    Args:
        settings: with ``source_networks``.
        limits: of connections.
    """

    def __init__(self, settings: Settings, limits: httpx.Limits) -> None:
        super().__init__(limits=limits)
        self._networks = settings.source_networks

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first of its host's addresses that takes a connection.

        Raises:
            SceneUnreadable: its host lies where scenes may not come from.
        """
        host = request.url.host
        if _literal(host) is not None:
            return await super().handle_async_request(request)
        unreached: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in await self._addresses(host, request.url.port or 443):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,  # with the name of its host
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await super().handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                unreached = error
        raise unreached or httpx.ConnectError(f"{host} has no address", request=request)

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host} is not known: {error}") from error
        addresses = [ipaddress.ip_address(at[4][0]) for at in found]
        for address in addresses:
            if not (address.is_global or any(address in network for network in self._networks)):
                raise SceneUnreadable(
                    f"The host {host!r} lies in a network that scenes may not come from "
                    "(operators: GEOGAZE_SOURCE_NETWORKS)."
                )
        return list(dict.fromkeys(addresses))


def reaching(settings: Settings, *, anywhere: bool, limits: httpx.Limits) -> Reaching | None:
    """What requests for scenes go by; None, for httpx's own way, where the user reads by their own
    rights (``anywhere``), or where a proxy resolves names and knows what it lets through.
    """
    return None if anywhere or "https" in getproxies() else Reaching(settings, limits)


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
