"""Who may do what: what each route needs, who calls, and how callers are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import Scope as AsgiScope

from geogaze.errors import GeogazeError
from geogaze.ledger.scopes import Scope

_ATTRIBUTE = "geogaze_needs"
_STATE = "caller"
_SAFE = frozenset({"GET", "HEAD"})

Endpoint = TypeVar("Endpoint")


class Need(StrEnum):
    """What a caller must show for a route. One that says nothing needs READ, or SUBMIT where it
    is asked otherwise than by GET or HEAD; so does an address that has no route.
    """

    NOTHING = "nothing"  # it is nobody's own
    IF_KNOWN = "if known"  # nothing, but who is known sees more
    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        tenant: whose jobs are theirs.
        name: for logs: the id of a key, the subject of a token, never a secret.
        scopes: what they may do.
    """

    tenant: str
    name: str
    scopes: frozenset[Scope]


class NotAdmitted(GeogazeError):
    """Nobody is known by what the request shows."""

    status = 401
    slug = "not-admitted"
    title = "Who are you?"


class Ended(NotAdmitted):
    """What the request shows was good once: whoever shows it did not guess it."""


class NotAllowed(GeogazeError):
    """The caller is known, and may not."""

    status = 403
    slug = "not-allowed"
    title = "You may not do this"


def needs(need: Need) -> Callable[[Endpoint], Endpoint]:
    """Say what a route needs: a decorator of its endpoint, below the route's own."""

    def mark(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)[_ATTRIBUTE] = need
        return endpoint

    return mark


def need_of(endpoint: Any, method: str) -> Need:
    """What a route needs, by its endpoint and how it is asked."""
    told: Need = getattr(endpoint, _ATTRIBUTE, Need.READ if method in _SAFE else Need.SUBMIT)
    return told


def is_safe(scope: AsgiScope) -> bool:
    """Whether a request only looks."""
    return scope["method"] in _SAFE


def need_at(app: Starlette, scope: AsgiScope) -> Need:
    """What a request needs, by the first route that takes it, as the application finds it."""
    for context in iter_route_contexts(app.routes):
        match, found = context.original_route.matches(scope)
        if match is Match.FULL:
            return need_of(found.get("endpoint"), scope["method"])
    return need_of(None, scope["method"])


def admit(scope: AsgiScope, caller: Caller) -> None:
    """Put down who calls, for the route."""
    scope.setdefault("state", {})[_STATE] = caller


def caller_of(request: Request) -> Caller:
    """Who calls.

    Raises:
        NotAdmitted: nobody was asked who they are, so nothing of anybody's may be shown.
    """
    caller: Caller | None = getattr(request.state, _STATE, None)
    if caller is None:
        raise NotAdmitted("This needs to know who asks.")
    return caller
