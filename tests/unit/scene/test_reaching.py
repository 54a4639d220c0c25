"""Hosts' names that lead where scenes may not come from, at first or the second time."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.scene.fetching import Ranges
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.source import Source
from geogaze.scene.version import look
from tests.hosts import Host

SERVER = Settings(connect_seconds=1, silence_seconds=1, request_seconds=2)
AT_HOME = SERVER.model_copy(
    update={"source_networks": tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))}
)
DATA = bytes(range(256))


@pytest.fixture
def named(host: Host) -> str:
    """A file of the host by a name instead of an address."""
    (host.folder / "port.tif").write_bytes(DATA)
    return host.uri("port.tif").replace("127.0.0.1", "localhost")


@pytest.fixture
def policy(host: Host) -> SourcePolicy:
    return SourcePolicy(hosts=(host.name, host.name.replace("127.0.0.1", "localhost")))


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """From now on names lead there."""

    def found(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, port)) for at in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_a_name_that_leads_home_is_refused_and_nothing_is_asked(
    host: Host, named: str, policy: SourcePolicy
) -> None:
    with pytest.raises(SceneUnreadable, match=r"'localhost'.*GEOGAZE_SOURCE_NETWORKS"):
        look(named, policy, SERVER)
    assert host.asked == []


def test_an_operator_may_list_networks_and_addresses(
    host: Host, named: str, policy: SourcePolicy
) -> None:
    for uri, settings in ((named, AT_HOME), (host.uri("port.tif"), SERVER)):
        assert look(uri, policy, settings, 256).start == DATA
    assert look(named, SourcePolicy.local(), SERVER, 256).start == DATA, "one's own rights"


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "172.16.0.9", "100.64.0.1", "0.0.0.0"]
)
def test_one_bad_address_among_good_ones_is_enough(
    host: Host, named: str, policy: SourcePolicy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, "8.8.8.8", address)
    with pytest.raises(SceneUnreadable, match="may not come from"):
        look(named, policy, AT_HOME)


def test_a_redirect_to_such_a_name_is_not_followed(
    host: Host, named: str, policy: SourcePolicy
) -> None:
    host.mood = f"to {named}"
    with pytest.raises(SceneUnreadable, match="may not come from"):
        look(host.uri("port.tif"), policy, SERVER)
    assert len(host.asked) == 1


def test_a_name_that_leads_elsewhere_the_second_time_is_refused(
    host: Host, named: str, policy: SourcePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(named, policy, AT_HOME)
    ranges = Ranges(source)

    async def fetch() -> tuple[bytes, SceneUnreadable | None]:
        try:
            first = await ranges.get(0, 16)
            leads_to(monkeypatch, "10.0.0.1")
            try:
                await ranges.get(16, 32)
            except SceneUnreadable as error:
                return first, error
            return first, None
        finally:
            await ranges.close()

    first, refused = asyncio.run(fetch())
    assert first == DATA[:16]
    assert refused is not None
    assert len(host.asked) == 2, "a look and a range"


def test_a_name_that_is_not_known_is_an_outage(
    named: str, policy: SourcePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SceneAway, match="localhost is not known"):
        look(named, policy, AT_HOME)
