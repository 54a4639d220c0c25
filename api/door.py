"""Who calls: by a key, a token, the gateway's word, or, on loopback, anybody."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope as AsgiScope

from api.access import Caller, Ended, NotAdmitted, NotAllowed
from api.knocks import Knocks
from api.proxies import Address, asker_of, came_by_proxy
from api.tokens import IssuerAway, Tokens
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.ledger.keys import PREFIX, Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.submission import DEFAULT_TENANT

COOKIE = "geogaze-key"
_LONGEST = 255
_USER = frozenset({Scope.READ, Scope.SUBMIT})
_ANYBODY = Caller(DEFAULT_TENANT, "anybody", frozenset(Scope))
_SHOW = "Send a key as 'Authorization: Bearer KEY' (operators: geogaze keys create)."
OPEN_ELSEWHERE = (
    "Without keys the API answers on loopback alone: set GEOGAZE_KEYS=true and make keys with "
    "'geogaze keys create', or set GEOGAZE_OIDC_ISSUER, or GEOGAZE_TENANT_HEADER behind a gateway."
)


class Door:
    """Tells who calls, by the ways that the settings open.

    Args:
        settings: which ways those are.
        keys: the keys there are.
        tokens: judges tokens, where there is an issuer.
    """

    def __init__(self, settings: Settings, keys: Keys, tokens: Tokens | None) -> None:
        self._settings, self._keys, self._tokens = settings, keys, tokens
        self._knocks = Knocks(settings)

    @property
    def knows_operators(self) -> bool:
        """Whether there is a way to show that one is an operator; a gateway keeps others out."""
        return self._settings.keys or self._tokens is not None

    def caller(self, scope: AsgiScope) -> Caller:
        """Who makes a request.

        Raises:
            NotAdmitted: it shows nothing that is taken.
            TooOften: its address has shown too much that is not.
            NotAllowed: nobody needs to show anything, but this is not loopback; or a tenant is
                named by one who is no proxy of ours.
            InvalidRequest: the gateway does not say who it is.
        """
        headers, header = Headers(scope=scope), self._settings.tenant_header
        if self.knows_operators and (key := shown(headers)):
            return self._known(key, asker_of(scope))
        if header and (header in headers or not self.knows_operators):
            if not came_by_proxy(scope):
                raise NotAllowed(
                    f"The header {header} is not taken from {(scope.get('client') or '?')[0]}, "
                    "which is no network of GEOGAZE_TRUSTED_PROXIES."
                )
            return _named(headers.get(header, ""), header)
        if self.knows_operators:
            raise NotAdmitted(f"This needs a key. {_SHOW}")
        if not _on_loopback(scope, headers, self._settings.public_url):
            raise NotAllowed(OPEN_ELSEWHERE)
        return _ANYBODY

    def _known(self, credential: str, asker: Address | None) -> Caller:
        self._knocks.check(asker)
        try:
            return self._judged(credential)
        except (Ended, IssuerAway):
            raise  # it was no guess, or nobody can tell
        except NotAdmitted:
            self._knocks.count(asker)
            raise

    def _judged(self, credential: str) -> Caller:
        if self._settings.keys and credential.startswith(PREFIX):
            key = self._keys.find(credential)
            if key is None:
                raise NotAdmitted(f"There is no such key. {_SHOW}")
            if key.state != "active":
                raise Ended(f"The key {key.id} is {key.state}; ask for a new one.")
            return Caller(key.tenant, f"key {key.id}", key.scopes)
        if self._tokens:
            return self._tokens.caller(credential)
        raise NotAdmitted(f"There is no such key. {_SHOW}")


def claimed_tenant(scope: AsgiScope, settings: Settings) -> str:
    """Who is said to ask by one who may say so; for the log it is cut short."""
    if settings.tenant_header is None or not came_by_proxy(scope):
        return DEFAULT_TENANT
    return Headers(scope=scope).get(settings.tenant_header, "")[: _LONGEST + 1]


def is_open(settings: Settings) -> bool:
    """Whether nobody has to show anything."""
    return not (settings.keys or settings.oidc_issuer or settings.tenant_header)


def is_loopback(address: str) -> bool:
    """Whether an address to listen on is this machine's own alone."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def shown(headers: Headers) -> str | None:
    """The key or token that a request shows. A browser's cookie counts for our own pages alone."""
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return bearer.strip()
    if key := headers.get("x-api-key"):
        return key.strip()
    if headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}:
        return cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return None


def _named(tenant: str, header: str) -> Caller:
    if not 0 < len(tenant) <= _LONGEST:
        raise InvalidRequest(
            f"The header {header} must name the tenant in 1 to {_LONGEST} "
            f"characters; it has {len(tenant)}{'' if len(tenant) <= _LONGEST else ' or more'}."
        )
    return Caller(tenant, "gateway", _USER)


def _on_loopback(scope: AsgiScope, headers: Headers, public_url: str | None) -> bool:
    """Whether a request came by loopback, and means it: pages of other hosts may lead their own
    names here. What has no address is a socket file or this very process.
    """
    server = (scope.get("server") or ("",))[0]
    try:
        if not ip_address(server).is_loopback:
            return False
    except ValueError:
        return True
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return is_loopback(host) or host == urlsplit(public_url or "").hostname
