"""Tokens of OpenID Connect as callers: signed by the issuer, for us, and not expired."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
from jwt import PyJWK, PyJWKSet

from api.access import Caller, Ended, NotAdmitted
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.ledger.scopes import Scope

Fetch = Callable[[str], dict[str, Any]]

_PREFIX = "geogaze:"
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # none that a public key could forge
_REQUIRED = ["exp", "iss", "aud", "sub"]
_KEPT_SECONDS = 600.0
_AGAIN_SECONDS = 30.0  # between two looks for a key that is not there: anybody may name one
_LEEWAY_SECONDS = 30
_LONGEST = 255


def fetched(url: str) -> dict[str, Any]:
    """The JSON document at an address."""
    document: dict[str, Any] = httpx.get(url, timeout=5.0).raise_for_status().json()
    return document


class IssuerAway(NotAdmitted):
    """The issuer's keys cannot be had, so that no token can be judged."""

    status = 503
    slug = "issuer-away"
    title = "Tokens cannot be judged now"


class Tokens:
    """Judges tokens of one issuer for one audience.

    Args:
        settings: with ``oidc_issuer`` and ``oidc_audience``.
        fetch: gets a JSON document.
        clock: seconds that only grow.

    Raises:
        InvalidRequest: there is an issuer and no audience.
    """

    def __init__(
        self,
        settings: Settings,
        fetch: Fetch = fetched,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not settings.oidc_issuer or not settings.oidc_audience:
            raise InvalidRequest(
                "GEOGAZE_OIDC_ISSUER needs GEOGAZE_OIDC_AUDIENCE, or tokens that were made for "
                "others would be taken."
            )
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        self._claim = settings.oidc_tenant_claim
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched = float("-inf")

    def caller(self, token: str) -> Caller:
        """Who shows a token.

        Raises:
            NotAdmitted: it is none of the issuer's for us, or names no tenant.
            Ended: it has expired.
            IssuerAway: nobody can tell now.
        """
        try:
            name = jwt.get_unverified_header(token).get("kid")
            claims = jwt.decode(
                token,
                self._key(name),
                algorithms=_ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise Ended("The token has expired; get a new one.") from error
        except jwt.PyJWTError as error:
            raise NotAdmitted(f"The token is not taken: {error}.") from error
        tenant = claims.get(self._claim)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= _LONGEST:
            raise NotAdmitted(f"The token's claim {self._claim!r} must name a tenant.")
        return Caller(tenant, f"token {claims['sub']}"[:_LONGEST], _scopes(claims))

    def _key(self, name: str | None) -> PyJWK:
        with self._lock:
            age = self._clock() - self._fetched
            if age > _KEPT_SECONDS or (name not in self._keys and age > _AGAIN_SECONDS):
                self._keys = self._fetch_keys()
                self._fetched = self._clock()
            if name not in self._keys:
                raise jwt.InvalidKeyError("its issuer has no such key")
            return self._keys[name]

    def _fetch_keys(self) -> dict[str, PyJWK]:
        about = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            keys = PyJWKSet.from_dict(self._fetch(self._fetch(about)["jwks_uri"])).keys
        except (httpx.HTTPError, ValueError, KeyError, jwt.PyJWTError) as error:
            raise IssuerAway("The issuer's keys cannot be had; try again soon.") from error
        return {key.key_id: key for key in keys if key.key_id is not None}


def _scopes(claims: dict[str, Any]) -> frozenset[Scope]:
    """The scopes of a token: ``geogaze:read`` and so on in ``scope`` or ``scp``."""
    told = claims.get("scope", claims.get("scp", ""))
    words = told.split() if isinstance(told, str) else map(str, told)
    known = {f"{_PREFIX}{scope}": scope for scope in Scope}
    return frozenset(known[word] for word in words if word in known)
