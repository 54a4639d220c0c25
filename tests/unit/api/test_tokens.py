"""OpenID Connect tokens as callers; the issuer is a function here, its keys are real."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from api.access import NotAdmitted
from api.app import create_app
from api.tokens import IssuerAway, Tokens
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.ledger.scopes import Scope
from tests.unit.api.testing import TestClient

ISSUER, AUDIENCE = "https://id.example/realm", "geogaze-api"
KEYS = f"{ISSUER}/keys"


@dataclass
class Issuer:
    """Signs tokens, and counts how often its keys are fetched."""

    private: dict[str, Any] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    away: bool = False

    def add(self, kid: str) -> None:
        self.private[kid] = ec.generate_private_key(ec.SECP256R1())

    def fetch(self, url: str) -> dict[str, Any]:
        if self.away:
            raise httpx.ConnectError("away")
        self.fetched.append(url)
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return {"issuer": ISSUER, "jwks_uri": KEYS}
        assert url == KEYS
        to_jwk = jwt.algorithms.ECAlgorithm.to_jwk
        keys = [(k, json.loads(to_jwk(p.public_key()))) for k, p in self.private.items()]
        return {"keys": [{**jwk, "kid": kid, "alg": "ES256"} for kid, jwk in keys]}

    def token(self, kid: str = "one", key: Any = None, **changes: Any) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "anna",
            "exp": time.time() + 300,
            "org": "harbour",
            "scope": "openid geogaze:read geogaze:submit",
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.private[kid], "ES256", headers={"kid": kid})


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.add("one")
    return issuer


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def oidc(settings: Settings) -> Settings:
    changes = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_tenant_claim": "org"}
    return settings.model_copy(update=changes)


@pytest.fixture
def tokens(oidc: Settings, issuer: Issuer, now: list[float]) -> Tokens:
    return Tokens(oidc, issuer.fetch, lambda: now[0])


def test_a_token_says_who_calls_and_what_they_may(tokens: Tokens, issuer: Issuer) -> None:
    caller = tokens.caller(issuer.token())
    assert (caller.tenant, caller.name) == ("harbour", "token anna")
    assert caller.scopes == {Scope.READ, Scope.SUBMIT}
    assert tokens.caller(issuer.token(scope=None, scp=["geogaze:admin"])).scopes == {Scope.ADMIN}
    assert tokens.caller(issuer.token(scope="openid admin")).scopes == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"iss": "https://id.example/other"},
        {"exp": 1_000_000},
        {"exp": None},
        {"sub": None},
        {"nbf": 10**11},
        {"org": None},
        {"org": ""},
        {"org": ["a"]},
        {"org": "x" * 256},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_is_not_taken(
    tokens: Tokens, issuer: Issuer, changes: dict[str, Any]
) -> None:
    with pytest.raises(NotAdmitted) as told:
        tokens.caller(issuer.token(**changes))
    assert not isinstance(told.value, IssuerAway)


def test_forged_tokens_are_not_taken(tokens: Tokens, issuer: Issuer) -> None:
    head, body, signature = issuer.token().split(".")
    other = ec.generate_private_key(ec.SECP256R1())
    public = issuer.private["one"].public_key().public_numbers()
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    shared = jwt.encode(claims, f"{public.x:064x}", "HS256", headers={"kid": "one"})
    nothing = jwt.encode(claims, None, "none", headers={"kid": "one"})
    for forged in (
        issuer.token(key=other),
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body}.",
        shared,
        nothing,
        "no token",
        "",
        "a.b.c",
    ):
        with pytest.raises(NotAdmitted):
            tokens.caller(forged)


def test_keys_are_fetched_seldom_and_new_ones_are_found(
    tokens: Tokens, issuer: Issuer, now: list[float]
) -> None:
    for _ in range(3):
        tokens.caller(issuer.token())
    assert issuer.fetched.count(KEYS) == 1
    issuer.add("two")
    for _ in range(5):  # anybody may name keys that are not there
        with pytest.raises(NotAdmitted):
            tokens.caller(issuer.token("two"))
    assert issuer.fetched.count(KEYS) == 1
    now[0] += 31
    tokens.caller(issuer.token("two"))
    assert issuer.fetched.count(KEYS) == 2
    del issuer.private["one"]
    now[0] += 601
    tokens.caller(issuer.token("two"))
    assert issuer.fetched.count(KEYS) == 3


def test_an_issuer_that_is_away_is_no_refusal(tokens: Tokens, issuer: Issuer) -> None:
    issuer.away = True
    with pytest.raises(IssuerAway) as told:
        tokens.caller(issuer.token())
    assert told.value.status == 503
    issuer.away = False
    assert tokens.caller(issuer.token()).tenant == "harbour"


def test_an_issuer_needs_an_audience(oidc: Settings) -> None:
    with pytest.raises(InvalidRequest, match="GEOGAZE_OIDC_AUDIENCE"):
        create_app(oidc.model_copy(update={"oidc_audience": None}))


def test_tokens_open_the_api(oidc: Settings, tokens: Tokens, issuer: Issuer) -> None:
    app = create_app(oidc, tokens)
    app.state.services.ledger.create_tables()
    with TestClient(app) as http:
        shown = {"Authorization": f"Bearer {issuer.token(scope='geogaze:read')}"}
        assert http.get("/session", headers=shown).json()["tenant"] == "harbour"
        assert http.get("/jobs", headers=shown).status_code == 200
        ask = {"inputs": {"string": "hello"}}
        assert http.post("/processes/echo/execution", json=ask, headers=shown).status_code == 403
        assert http.get("/jobs").status_code == 401
