"""Whose headers count, and whose address: proxies that are trusted, and everybody else."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from tests.unit.api.test_execution import check_problem
from tests.unit.api.testing import Serve, TestClient, bearer

USER = {Scope.READ, Scope.SUBMIT}
EXECUTION = "/processes/echo/execution"
PROXIES = ip_network("10.7.0.0/16")


def wrong(last: int) -> dict[str, str]:
    return bearer(f"geogaze_{last:012x}_{'A' * 43}")


def at(serve: Serve, address: str, **changes: Any) -> TestClient:
    """The API as asked from an address."""
    client = serve(**changes)
    client._transport.client = (address, 50000)  # type: ignore[attr-defined]
    return client


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9"])
def test_no_tenant_is_taken_from_one_who_is_no_proxy(
    serve: Serve, logs: list[Any], address: str
) -> None:
    client = at(serve, address, tenant_header="X-Tenant", trusted_proxies=(PROXIES,))
    refused = client.get("/session", headers={"X-Tenant": "ours"})
    check_problem(refused, 403)
    assert address in refused.json()["detail"]
    assert "GEOGAZE_TRUSTED_PROXIES" in refused.json()["detail"]
    assert "ours" not in str(logs), "nor is it in the log"


@pytest.mark.parametrize("address", ["10.7.0.3", "::ffff:10.7.0.3"])
def test_a_proxy_names_the_tenant_and_who_asks(serve: Serve, logs: list[Any], address: str) -> None:
    client = at(serve, address, tenant_header="X-Tenant", trusted_proxies=(PROXIES,))
    forwarded = {"X-Tenant": "ours", "X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.7.0.4"}
    assert client.get("/session", headers=forwarded).json()["tenant"] == "ours"
    client.post(EXECUTION, content=b"no json", headers=forwarded)
    (told,) = [entry for entry in logs if entry.get("channel") == "audit"]
    assert told["client"] == "203.0.113.9", "what stands before it may be made up"


def test_strangers_do_not_say_where_the_api_lies(serve: Serve) -> None:
    headers = {
        "X-Forwarded-Prefix": "/heat",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "10.7.0.9",
    }
    proxied = at(serve, "10.7.0.3", trusted_proxies=(PROXIES,))
    assert (
        proxied.get("/", headers=headers)
        .json()["links"][0]["href"]
        .startswith("https://testserver/heat/")
    )
    stranger = at(serve, "203.0.113.9", trusted_proxies=(PROXIES,))
    assert (
        stranger.get("/", headers=headers)
        .json()["links"][0]["href"]
        .startswith("http://testserver/")
    )


def test_an_address_that_guesses_keys_has_to_wait(serve: Serve) -> None:
    client = at(serve, "203.0.113.9", keys=True, wrong_key_rate="3/minute")
    keys = Keys(client.app.state.services.ledger.database)  # type: ignore[attr-defined]
    key = keys.create("test", tenant="t", scopes=USER)[1]
    old = keys.create("old", tenant="t", scopes=USER)
    keys.revoke(old[0].id)
    for headers in (bearer(old[1]), {}):  # those are no guesses
        for _ in range(4):
            check_problem(client.get("/jobs", headers=headers), 401)
    for number, ask in enumerate(
        [
            lambda headers: client.get("/jobs", headers=headers),
            lambda headers: client.post("/session", headers=headers),
            lambda headers: client.get("/", headers={**headers, "Accept": "text/html"}),
        ]
    ):
        assert client.get("/jobs", headers=bearer(key)).status_code == 200
        assert ask(wrong(number)).status_code in {200, 401}
    for headers in (bearer(key), {"Cookie": f"geogaze-key={key}"}):
        over = client.get("/jobs", headers=headers)
        check_problem(over, 429)
        assert 1 <= int(over.headers["retry-after"]) <= 60
        assert "GEOGAZE_WRONG_KEY_RATE" in over.json()["detail"]
    assert client.get("/health").status_code == 200
    client._transport.client = ("203.0.113.10", 1)  # type: ignore[attr-defined]
    assert client.get("/jobs", headers=bearer(key)).status_code == 200


def test_who_has_a_network_of_ipv6_has_one_count(serve: Serve) -> None:
    client = at(serve, "", keys=True, wrong_key_rate="3/minute")

    def asked(address: str) -> int:
        client._transport.client = (address, 1)  # type: ignore[attr-defined]
        return client.get("/jobs", headers=wrong(0)).status_code

    assert [asked(f"2001:db8:0:1::{n}") for n in range(4)] == [401, 401, 401, 429]
    assert asked("2001:db8:0:2::1") == 401


def test_behind_a_proxy_each_client_has_a_count_of_its_own(serve: Serve) -> None:
    limits = {"keys": True, "wrong_key_rate": "1/minute", "trusted_proxies": (PROXIES,)}
    client = at(serve, "10.7.0.3", **limits)

    def asked(said: str | None) -> int:
        told = {} if said is None else {"X-Forwarded-For": said}
        return client.get("/jobs", headers={**wrong(0), **told}).status_code

    assert [asked("203.0.113.9"), asked("203.0.113.9"), asked("203.0.113.10")] == [401, 429, 401]
    assert [asked("1.2.3.4, 203.0.113.9")] == [429], "a made up start changes nothing"
    assert [asked(None), asked(None)] == [401, 401], "one proxy's silence locks nobody out"


@pytest.mark.parametrize(
    ("headers", "changes", "sent"),
    [
        ({}, {}, None),
        ({"X-Forwarded-Proto": "https"}, {}, "max-age=31536000"),
        ({"X-Forwarded-Proto": "https"}, {"hsts_seconds": 0}, None),
        ({}, {"public_url": "https://maps.example"}, "max-age=31536000"),
        ({"X-Forwarded-Proto": "http"}, {"public_url": "https://maps.example"}, None),
        ({}, {"public_url": "http://maps.example"}, None),
    ],
)
def test_browsers_come_by_tls_alone_where_there_is_some(
    serve: Serve, headers: dict[str, str], changes: dict[str, Any], sent: str | None
) -> None:
    for path in ("/", "/nothing", "/page/main.js"):
        answer = serve(**changes).get(path, headers=headers)
        assert answer.headers.get("strict-transport-security") == sent, path


def test_strangers_do_not_tell_browsers_what_to_do(serve: Serve) -> None:
    client = at(serve, "203.0.113.9")
    answer = client.get("/health", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in answer.headers
