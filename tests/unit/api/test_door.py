"""The door: keys by bearer and header, the gateway's word, and nobody's on loopback alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import exc

from api.door import Door
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from tests.unit.api.test_execution import check_problem
from tests.unit.api.testing import Serve, TestClient, bearer, make_app

USER = {Scope.READ, Scope.SUBMIT}
ECHO = {"inputs": {"string": "hello"}}
EXECUTION = "/processes/echo/execution"

NewKey = Callable[..., str]


@pytest.fixture
def locked(serve: Serve) -> TestClient:
    return serve(keys=True)


@pytest.fixture
def new_key(locked: TestClient) -> NewKey:
    keys = Keys(locked.app.state.services.ledger.database)  # type: ignore[attr-defined]

    def make(tenant: str = "harbour", scopes: set[Scope] = USER) -> str:
        return keys.create("test", tenant=tenant, scopes=scopes)[1]

    return make


def test_a_key_is_taken_in_either_header(locked: TestClient, new_key: NewKey) -> None:
    key = new_key()
    for headers in (
        bearer(key),
        {"Authorization": f"bearer  {key} "},
        {"X-API-Key": key},
        {"X-API-Key": key, "Authorization": "Basic YTpi"},
    ):
        answer = locked.get("/session", headers=headers)
        assert answer.status_code == 200, headers
        assert answer.json()["tenant"] == "harbour"
        assert answer.json()["scopes"] == ["read", "submit"]
        assert key.split("_", 2)[2] not in answer.text


def test_what_is_refused_says_what_to_do(locked: TestClient, new_key: NewKey) -> None:
    none = locked.get("/jobs")
    check_problem(none, 401)
    assert "geogaze keys create" in none.json()["detail"]
    assert none.headers["www-authenticate"].startswith("Bearer")
    reader = new_key(scopes={Scope.READ})
    may_not = locked.post(EXECUTION, json=ECHO, headers=bearer(reader))
    check_problem(may_not, 403)
    assert "may read, and this needs 'submit'" in may_not.json()["detail"]


def test_no_body_is_read_of_whom_nobody_knows(locked: TestClient) -> None:
    """Else a body that is no JSON would be 400, and a long one would be taken."""
    check_problem(locked.post(EXECUTION, content=b"no json"), 401)
    check_problem(locked.post(EXECUTION, content=b"no json", headers=bearer("geogaze_no")), 401)


def test_the_gateways_word_counts_beside_keys(serve: Serve) -> None:
    client = serve(keys=True, tenant_header="X-Tenant")
    told = client.get("/session", headers={"X-Tenant": "ours"}).json()
    assert (told["tenant"], told["name"], told["scopes"]) == ("ours", "gateway", ["read", "submit"])
    check_problem(client.get("/metrics", headers={"X-Tenant": "ours"}), 403)
    check_problem(client.get("/session"), 401)
    check_problem(client.get("/session", headers={"X-Tenant": ""}), 400)
    wrong = {"X-Tenant": "ours", **bearer("geogaze_wrong")}
    check_problem(client.get("/session", headers=wrong), 401)


@pytest.mark.parametrize("server", ["10.0.0.7", "0.0.0.0", "192.168.1.2", "203.0.113.9"])
def test_without_keys_nobody_is_served_but_on_loopback(serve: Serve, server: str) -> None:
    answer = serve(f"http://{server}").get("/jobs")
    check_problem(answer, 403)
    assert "GEOGAZE_KEYS=true" in answer.json()["detail"]
    assert "geogaze keys create" in answer.json()["detail"]
    assert serve(f"http://{server}").get("/health").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("maps.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_on_loopback_others_names_are_not_answered(serve: Serve, host: str, status: int) -> None:
    """A page of another host may let its own name lead to this machine."""
    client = serve("http://127.0.0.1:8080", public_url="https://maps.example/heat")
    assert client.get("/jobs", headers={"Host": host}).status_code == status


def test_a_key_stays_in_the_browser_until_it_is_forgotten(
    locked: TestClient, new_key: NewKey
) -> None:
    key = new_key()
    check_problem(locked.post("/session", headers=bearer(key[:-4])), 401)
    assert not locked.cookies
    signed = locked.post("/session", headers=bearer(key))
    assert (signed.status_code, signed.content) == (204, b"")
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert locked.get("/jobs").status_code == 200
    assert locked.post(EXECUTION, json=ECHO).status_code == 201
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        check_problem(locked.post(EXECUTION, json=ECHO, headers=headers), 401)
    assert locked.delete("/session").status_code == 204
    check_problem(locked.get("/jobs"), 401)


def test_the_cookie_is_for_tls_where_there_is_some(serve: Serve) -> None:
    client = serve(keys=True, public_url="https://maps.example/heat")
    keys = Keys(client.app.state.services.ledger.database)  # type: ignore[attr-defined]
    key = keys.create("test", tenant="t", scopes=USER)[1]
    cookie = client.post("/session", headers=bearer(key)).headers["set-cookie"].lower()
    assert "secure" in cookie
    assert "path=/heat" in cookie


def test_who_did_what_is_put_down_and_no_secret(
    locked: TestClient, new_key: NewKey, logs: list[Any]
) -> None:
    key = new_key()
    job = locked.post(EXECUTION, json=ECHO, headers=bearer(key)).json()["jobID"]
    locked.delete(f"/jobs/{job}", headers=bearer(key))
    locked.get("/jobs", headers=bearer(key[:-1]))
    locked.get("/jobs", headers=bearer(key))
    told = [entry for entry in logs if entry.get("channel") == "audit"]
    assert [(e["method"], e["status"], e.get("job")) for e in told] == [
        ("POST", 201, job),
        ("DELETE", 200, job),
        ("GET", 401, None),
    ]
    assert {e["caller"] for e in told[:2]} == {f"key {key.split('_')[1]}"}
    assert {e["tenant"] for e in told[:2]} == {"harbour"}
    assert told[2]["refused"] == "not-admitted"
    assert key.split("_", 2)[2][:20] not in str(logs)


def test_a_database_that_is_away_admits_nobody(
    locked: TestClient, new_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise exc.OperationalError("secret", None, Exception("gone"))

    key = new_key()
    monkeypatch.setattr(Keys, "find", away)
    answer = locked.get("/jobs", headers=bearer(key))
    check_problem(answer, 503)
    assert "secret" not in answer.text


def test_rates_are_each_tenants_and_told(serve: Serve) -> None:
    client = serve(request_rate="3/minute", tenant_header="X-Tenant")
    one, two = {"X-Tenant": "one"}, {"X-Tenant": "two"}
    left = [client.get("/jobs", headers=one).headers["ratelimit"] for _ in range(3)]
    assert [told.partition(";t=")[0] for told in left] == [f'"requests";r={n}' for n in (2, 1, 0)]
    over = client.get("/jobs", headers=one)
    check_problem(over, 429)
    assert 1 <= int(over.headers["retry-after"]) <= 60
    assert over.headers["ratelimit-policy"] == '"requests";q=3;w=60'
    assert client.get("/jobs", headers=two).status_code == 200
    assert client.get("/health", headers=one).status_code == 200


def test_changes_have_a_rate_of_their_own(serve: Serve) -> None:
    client = serve(submit_rate="1/hour")
    assert client.post(EXECUTION, json=ECHO).status_code == 201
    over = client.post(EXECUTION, json=ECHO)
    check_problem(over, 429)
    assert "GEOGAZE_SUBMIT_RATE" in over.json()["detail"]
    assert "ratelimit" not in client.get("/jobs").headers


def test_a_store_that_is_away_stops_nobody(serve: Serve, logs: list[Any]) -> None:
    client = serve(request_rate="1/hour", rate_store="redis://127.0.0.1:1/0")
    assert [client.get("/jobs").status_code for _ in range(2)] == [200, 200]
    assert [e for e in logs if e["event"] == "requests are not counted"]


def test_a_rate_that_is_none_stops_the_start(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match=r"GEOGAZE_REQUEST_RATE: 'often'"):
        make_app(settings.model_copy(update={"request_rate": "often"}))


def test_a_quota_is_told_with_a_time(serve: Serve) -> None:
    client = serve(quota_jobs=1)
    assert client.post(EXECUTION, json=ECHO).status_code == 201
    over = client.post(EXECUTION, json=ECHO)
    check_problem(over, 429)
    assert over.headers["retry-after"] == "60"
    assert over.json()["type"].endswith("quota-exceeded")


def test_operators_are_known_by_keys_or_tokens_alone(settings: Settings) -> None:
    keys = Keys.__new__(Keys)
    assert not Door(settings, keys, None).knows_operators
    assert not Door(settings.model_copy(update={"tenant_header": "X"}), keys, None).knows_operators
    assert Door(settings.model_copy(update={"keys": True}), keys, None).knows_operators
