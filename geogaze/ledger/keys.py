"""Keys that callers of the API show: told once, kept as digests, judged by the database's clock."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.orm import Session

from geogaze.errors import GeogazeError, InvalidRequest
from geogaze.ledger.database import Database
from geogaze.ledger.scopes import Scope
from geogaze.ledger.tables import Key, now

PREFIX = "geogaze_"
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([\w-]{{43}})", re.ASCII)
_NOBODYS = "0" * 64
_USED_SECONDS = 60  # how exactly it is known when a key was last used
_LONGEST = 255


class KeyNotFound(GeogazeError):
    """There is no key of an id."""

    status = 404
    slug = "no-such-key"
    title = "There is no such key"


@dataclass(frozen=True)
class KeyRecord:
    """What is kept of a key, but for the digest of its secret. Times are seconds since 1970."""

    id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    created: float
    expires: float | None
    revoked: float | None
    last_used: float | None
    state: str
    """``active``, ``expired`` or ``revoked``."""


class Keys:
    """The keys in the ledger's database. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        tenant: str,
        scopes: Collection[Scope],
        seconds: float | None = None,
    ) -> tuple[KeyRecord, str]:
        """Make a key: its record, and the key itself, which cannot be had again.

        Args:
            name: for people, to tell keys apart.
            tenant: whose jobs it opens.
            scopes: what it may do; one at least.
            seconds: how long it works; None: until it is revoked.

        Raises:
            InvalidRequest: name or tenant are empty or too long, or there is no scope.
        """
        for what, value in (("name", name), ("tenant", tenant)):
            if not 0 < len(value) <= _LONGEST:
                raise InvalidRequest(f"A key's {what} has 1 to {_LONGEST} characters: {value!r}.")
        if not scopes:
            raise InvalidRequest(f"A key needs a scope: {', '.join(Scope)}.")
        if seconds is not None and not seconds > 0:
            raise InvalidRequest(f"A key must work for some time, not {seconds:g} seconds.")
        with Session(self._database) as session, session.begin():
            return self._insert(session, name, tenant, scopes, seconds)

    def all(self, tenant: str | None = None) -> list[KeyRecord]:
        """Keys, the newest first, of one tenant or of all."""
        ours = () if tenant is None else (Key.tenant == tenant,)
        with Session(self._database) as session:
            found = session.execute(_records(*ours).order_by(Key.created.desc(), Key.id)).all()
        return [_record(row) for row in found]

    def revoke(self, key: str) -> KeyRecord:
        """Close a key for good; one that is closed stays as it is.

        Raises:
            KeyNotFound: there is none of this id.
        """
        with Session(self._database) as session, session.begin():
            self._revoke(session, key)
            return self._one(session, key)

    def rotate(self, key: str, *, overlap: float = 0.0) -> tuple[KeyRecord, str]:
        """Make a key in the place of another, which works for ``overlap`` seconds more.

        The new one has its name, tenant and scopes, and works as long as it did from its making.

        Raises:
            KeyNotFound: there is none of this id.
            InvalidRequest: it does not work any more.
        """
        with Session(self._database) as session, session.begin():
            old = self._one(session, key)
            if old.state != "active":
                raise InvalidRequest(f"Key {key} is {old.state}: create a new one.")
            span = None if old.expires is None else old.expires - old.created
            if overlap > 0:
                sooner = or_(Key.expires.is_(None), Key.expires > now() + overlap)
                session.execute(
                    update(Key).where(Key.id == key, sooner).values(expires=now() + overlap)
                )
            else:
                self._revoke(session, key)
            return self._insert(session, old.name, old.tenant, old.scopes, span)

    def find(self, shown: str) -> KeyRecord | None:
        """The key that somebody shows, whether it still works or not; None where it is none.

        How long this takes says nothing of the secret: digests are compared, in constant time,
        and for ids that nobody has too.
        """
        parts = _KEY.fullmatch(shown)
        name, secret = parts.groups() if parts else ("", "")
        with Session(self._database) as session, session.begin():
            row = session.execute(_records(Key.id == name)).one_or_none()
            right = hmac.compare_digest(_digest(secret), row.digest if row else _NOBODYS)
            if row is None or not right:
                return None
            record = _record(row)
            if record.state == "active":
                session.execute(
                    update(Key)
                    .where(
                        Key.id == record.id,
                        or_(Key.last_used.is_(None), Key.last_used < now() - _USED_SECONDS),
                    )
                    .values(last_used=now())
                )
        return record

    def _insert(
        self,
        session: Session,
        name: str,
        tenant: str,
        scopes: Collection[Scope],
        seconds: float | None,
    ) -> tuple[KeyRecord, str]:
        key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        session.execute(
            insert(Key).values(
                id=key,
                tenant=tenant,
                name=name,
                scopes=sorted(scopes),
                digest=_digest(secret),
                created=now(),
                expires=None if seconds is None else now() + seconds,
            )
        )
        return self._one(session, key), f"{PREFIX}{key}_{secret}"

    def _revoke(self, session: Session, key: str) -> None:
        session.execute(
            update(Key).where(Key.id == key, Key.revoked.is_(None)).values(revoked=now())
        )

    def _one(self, session: Session, key: str) -> KeyRecord:
        row = session.execute(_records(Key.id == key)).one_or_none()
        if row is None:
            raise KeyNotFound(f"There is no key {key!r}: geogaze keys list shows them.")
        return _record(row)


def _records(*wanted: ColumnElement[bool]) -> Any:
    return select(*Key.__table__.columns, now().label("moment")).where(*wanted)


def _record(row: Any) -> KeyRecord:
    state = "active"
    if row.revoked is not None:
        state = "revoked"
    elif row.expires is not None and row.expires <= row.moment:
        state = "expired"
    return KeyRecord(
        row.id,
        row.tenant,
        row.name,
        frozenset(Scope(scope) for scope in row.scopes),
        row.created,
        row.expires,
        row.revoked,
        row.last_used,
        state,
    )


def _digest(secret: str) -> str:
    """SHA-256: a secret of 256 random bits needs no slower one."""
    return sha256(secret.encode()).hexdigest()
