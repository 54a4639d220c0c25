"""Keys of the API: told once, kept as digests, and closed by time or by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from geogaze.errors import InvalidRequest
from geogaze.ledger.keys import KeyNotFound, Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Key
from tests.unit.ledger.suite import OnSqlite, Suite

READ = {Scope.READ}


def columns(ledger: Ledger, key: str) -> Any:
    with Session(ledger.database) as session:
        return session.scalars(select(Key).where(Key.id == key)).one()


def change(ledger: Ledger, key: str, **values: Any) -> None:
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Key).where(Key.id == key).values(**values))


class KeysSuite(Suite):
    @pytest.fixture
    def keys(self, ledger: Ledger) -> Keys:
        return Keys(ledger.database)

    def test_a_key_is_found_and_its_secret_is_nowhere(self, keys: Keys, ledger: Ledger) -> None:
        record, text = keys.create("anna", tenant="harbour", scopes={Scope.READ, Scope.SUBMIT})
        found = keys.find(text)
        assert found is not None
        assert (found.id, found.tenant, found.name, found.state) == (
            *(record.id, "harbour", "anna", "active"),
        )
        assert found.scopes == {Scope.READ, Scope.SUBMIT}
        row, secret = columns(ledger, record.id), text.split("_", 2)[2]
        kept = " ".join(str(value) for value in vars(row).values())
        assert secret not in kept
        assert secret not in repr(record)
        assert len(row.digest) == 64

    def test_no_two_keys_are_the_same(self, keys: Keys) -> None:
        made = {keys.create("x", tenant="t", scopes=READ)[1] for _ in range(20)}
        assert len(made) == 20
        assert all(len(text) == 8 + 12 + 1 + 43 for text in made)

    def test_what_is_no_key_is_not_found(self, keys: Keys) -> None:
        _, text = keys.create("anna", tenant="harbour", scopes=READ)
        _, other = keys.create("bert", tenant="harbour", scopes=READ)
        id_, secret = text[:21], other[21:]
        wrong = [
            "",
            "geogaze_",
            "x" * 5000,
            text.upper(),
            f"{text}A",
            text[:-1],
            f"{id_}{secret}",
            "é",
        ]
        assert [keys.find(shown) for shown in wrong] == [None] * len(wrong)

    def test_time_closes_a_key(self, keys: Keys, ledger: Ledger) -> None:
        record, text = keys.create("anna", tenant="harbour", scopes=READ, seconds=60)
        assert record.expires is not None
        assert record.expires - record.created == pytest.approx(60, abs=1)
        change(ledger, record.id, expires=record.created - 1)
        found = keys.find(text)
        assert found is not None
        assert found.state == "expired"

    def test_a_revoked_key_stays_revoked(self, keys: Keys) -> None:
        record, text = keys.create("anna", tenant="harbour", scopes=READ)
        revoked = keys.revoke(record.id)
        assert revoked.state == "revoked"
        assert keys.revoke(record.id).revoked == revoked.revoked
        found = keys.find(text)
        assert found is not None
        assert found.state == "revoked"

    def test_a_rotated_key_opens_the_same_and_the_old_one_ends(
        self, keys: Keys, ledger: Ledger
    ) -> None:
        old, old_text = keys.create("anna", tenant="harbour", scopes=READ, seconds=1000)
        new, text = keys.rotate(old.id)
        assert (new.tenant, new.name, new.scopes) == ("harbour", "anna", READ)
        assert new.expires is not None
        assert new.expires - new.created == pytest.approx(1000, abs=1)
        assert [getattr(keys.find(shown), "state", None) for shown in (old_text, text)] == [
            *("revoked", "active"),
        ]
        later, _ = keys.rotate(new.id, overlap=500)
        assert later.id != new.id
        kept = columns(ledger, new.id)
        assert kept.revoked is None
        assert kept.expires - later.created == pytest.approx(500, abs=1)
        final, _ = keys.rotate(later.id, overlap=5000)
        assert columns(ledger, later.id).expires == later.expires, "no key lives longer by it"
        keys.revoke(final.id)
        with pytest.raises(InvalidRequest, match="revoked"):
            keys.rotate(final.id)

    def test_when_a_key_was_last_used_is_known_to_the_minute(
        self, keys: Keys, ledger: Ledger
    ) -> None:
        record, text = keys.create("anna", tenant="harbour", scopes=READ)
        assert record.last_used is None
        keys.find(text[:-1])
        assert columns(ledger, record.id).last_used is None, "a wrong one is no use"
        keys.find(text)
        first = columns(ledger, record.id).last_used
        assert first == pytest.approx(record.created, abs=5)
        keys.find(text)
        assert columns(ledger, record.id).last_used == first, "each request would write"
        change(ledger, record.id, last_used=first - 61)
        keys.find(text)
        assert columns(ledger, record.id).last_used >= first

    def test_lists_are_each_tenants_own(self, keys: Keys) -> None:
        made = {name: keys.create(name, tenant=name, scopes=READ)[0].id for name in ("a", "b")}
        assert {record.id for record in keys.all()} == set(made.values())
        assert [record.id for record in keys.all("b")] == [made["b"]]

    def test_what_makes_no_key_is_refused(self, keys: Keys) -> None:
        for wrong in (
            {"name": ""},
            {"tenant": ""},
            {"tenant": "x" * 256},
            {"scopes": set()},
            {"seconds": 0},
            {"seconds": float("nan")},
        ):
            with pytest.raises(InvalidRequest):
                keys.create(**{"name": "x", "tenant": "t", "scopes": READ, **wrong})
        for change_it in (keys.revoke, keys.rotate):
            with pytest.raises(KeyNotFound, match="000000000000"):
                change_it("0" * 12)
        assert keys.all() == []


class TestKeysOnSqlite(OnSqlite, KeysSuite):
    pass
