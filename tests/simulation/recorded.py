"""The ledger's own operations, and what came of each, told to a history."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from typing_extensions import override

from geogaze.errors import StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import DATABASE_AWAY
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim, Freed
from tests.simulation.clock import Clock
from tests.simulation.history import UNKNOWN, History


class RecordedClaims(Claims):
    """Claims whose operations a history hears of."""

    clock: Clock
    history: History

    @override
    def claim(self, unit_id: UUID, worker: str, **how: Any) -> Any:
        try:
            claim = super().claim(unit_id, worker, **how)
        except DATABASE_AWAY:
            self.history.claimed(unit_id, worker, self._at, UNKNOWN)
            raise
        self.history.claimed(unit_id, worker, self._at, claim if isinstance(claim, Claim) else None)
        if isinstance(claim, Claim):
            self.clock.running.process.in_hand[claim.token] = claim  # type: ignore[union-attr]
        return claim

    @property
    def _at(self) -> float:
        return self.clock.seconds

    def _ask(self, what: str, claim: Claim, *args: Any, **named: Any) -> Any:
        self.clock.running.doing = what
        try:
            done = getattr(super(), what)(claim, *args, **named)
        except StaleClaim:
            self.history.asked(what, claim, self._at, False)
            raise
        except DATABASE_AWAY:
            self.history.asked(what, claim, self._at, UNKNOWN)
            raise
        finally:
            self.clock.running.doing = ""
        self.history.asked(what, claim, self._at, True)
        if what != "renew":
            process: Any = self.clock.running.process
            process.in_hand.pop(claim.token, None)
        return done

    @override
    def renew(self, claim: Claim) -> None:
        self._ask("renew", claim)

    @override
    def commit(self, claim: Claim, *what: Any, **more: Any) -> None:
        self._ask("commit", claim, *what, **more)

    @override
    def give_up(self, claim: Claim, *what: Any, **more: Any) -> bool:
        return cast("bool", self._ask("give_up", claim, *what, **more))

    @override
    def release(self, claim: Claim, *what: Any, **more: Any) -> None:
        self._ask("release", claim, *what, **more)

    @override
    def leave(self, worker: str) -> None:
        self.history.left(worker, told=False)
        super().leave(worker)
        self.history.left(worker)


class RecordedQueue(Queue):
    """A queue whose operations a history hears of."""

    clock: Clock
    history: History

    @override
    def lead(self, name: str, holder: str, seconds: float) -> bool:
        leads = super().lead(name, holder, seconds)
        if leads:
            self.history.led(holder, self.clock.running.committed, seconds)
        return leads

    @override
    def resign(self, name: str, holder: str) -> None:
        super().resign(name, holder)
        self.history.resigned(holder)

    @override
    def _settle_lost(self, unit_id: UUID, job_id: UUID, patience: Any) -> Freed | None:
        try:
            freed = super()._settle_lost(unit_id, job_id, patience)
        except DATABASE_AWAY:
            self.history.swept(unit_id, self.clock.seconds, told=False)
            raise
        if freed:
            self.history.swept(unit_id, self.clock.seconds)
        return freed
