"""A sequential model of claims: what each operation on a unit may answer, one after another.

Operations take effect one by one, in the order of their transactions. Of one whose answer got lost
nobody knows whether it did, so the model keeps all states that a unit may be in, and drops those
that an answer contradicts. A history that leaves none is not one of the protocol's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

UNKNOWN = "unknown"


class Violation(Exception):
    """What must never be, has been."""


@dataclass(frozen=True)
class State:
    """Of a unit: nobody's, held by a token until a moment, or done under it."""

    token: UUID | str | None = None
    until: float = 0.0
    holder: str = ""
    done: bool = False


FREE = State()
Step = Callable[[State], State | None]
"""The state after a step; None where it cannot be taken from there."""


class History:
    """Judges operations as they end.

    Args:
        lease: seconds that a claim holds.
        is_open: whether a job is.
        fail: told of what no history of the protocol's has.
    """

    def __init__(
        self,
        lease: float,
        is_open: Callable[[UUID], bool],
        fail: Callable[[Violation], None],
    ) -> None:
        self._lease = lease
        self._fail = fail
        self._is_open = is_open
        self._states: dict[UUID, set[State]] = defaultdict(lambda: {FREE})
        self._jobs: dict[UUID, UUID] = {}
        self._attempts: dict[UUID, int] = {}
        self._leads: dict[str, float] = {}
        self._gone: set[UUID] = set()

    def claimed(self, unit: UUID, holder: str, at: float, claim: Any) -> None:
        """A claim was asked for: what came of it, None, or unknown."""

        def take(state: State) -> State | None:
            token = UNKNOWN if claim is UNKNOWN else claim.token
            return State(token, at + self._lease, holder) if state == FREE else None

        if claim is UNKNOWN:
            self._perhaps(unit, take)
        elif claim is not None:
            self._jobs[unit] = claim.job_id
            if claim.attempt <= self._attempts.get(unit, 0):
                self._fail(Violation(f"attempt {claim.attempt} at a unit came twice"))
            self._attempts[unit] = claim.attempt
            self._surely(unit, take, f"claimed by {holder}")

    def asked(self, what: str, claim: Any, at: float, answer: Any) -> None:
        """The holder of a claim asked to renew, commit, give_up or release it.

        Args:
            what: which of them.
            claim: its claim.
            at: when.
            answer: True, False where the claim is said to be lost, or unknown.
        """

        def step(state: State) -> State | None:
            if state.token not in {claim.token, UNKNOWN} or state.done:
                return None
            if what == "renew":
                return State(claim.token, at + self._lease, state.holder)
            return State(claim.token, done=True) if what == "commit" else FREE

        if answer is UNKNOWN:
            self._perhaps(claim.unit_id, step)
        elif answer:
            if not self._is_open(claim.job_id) and what == "renew":
                self._fail(Violation(f"{what} of a unit whose job has ended"))
            self._surely(claim.unit_id, step, f"{what} by attempt {claim.attempt}")
        elif self._is_open(claim.job_id):
            # It is not its holder's any more, in one of the states at least.
            states = self._states[claim.unit_id]
            kept = {s for s in states if s.token != claim.token or s.done}
            self._keep(claim.unit_id, kept, f"{what} refused to attempt {claim.attempt}")

    def swept(self, unit: UUID, at: float, *, told: bool = True) -> None:
        """A unit was taken from a worker whose lease had run out, perhaps where not ``told``."""

        def step(state: State) -> State | None:
            return FREE if state.token and not state.done and state.until < at else None

        if told:
            self._surely(unit, step, "taken from a worker")
        else:
            self._perhaps(unit, step)

    def left(self, holder: str, *, told: bool = True) -> None:
        """A worker said that it goes: its leases are over."""
        for unit in list(self._states):

            def step(state: State) -> State | None:
                gone = state.holder == holder and not state.done
                return State(state.token, float("-inf"), holder) if gone else None

            self._perhaps(unit, step) if not told else self._each(unit, step)

    def begun_anew(self, job: UUID) -> None:
        """A job was retried."""
        for unit, of in self._jobs.items():
            if of == job:
                self._each(unit, lambda state: FREE)

    def gone(self, unit: UUID) -> None:
        """A unit is no more: what it rests on is made anew, or its job was dismissed."""
        self._gone.add(unit)

    def led(self, holder: str, at: float, seconds: float) -> None:
        """A dispatcher was told that it leads for so long."""
        for other, until in self._leads.items():
            if other != holder and until >= at:
                self._fail(Violation(f"{holder} leads while {other} does"))
        self._leads[holder] = at + seconds

    def resigned(self, holder: str) -> None:
        """A dispatcher gave up its lead."""
        self._leads.pop(holder, None)

    def next_end(self, after: float, holder: str | None = None) -> float:
        """When the next lease or lead (of a holder) runs out; infinity where none does."""
        leases = ((s.holder, s.until) for states in self._states.values() for s in states)
        ends = (
            end
            for of, end in (*leases, *self._leads.items())
            if end > after and holder in {of, None}
        )
        return min(ends, default=math.inf)

    def _surely(self, unit: UUID, step: Step, words: str) -> None:
        self._keep(unit, {new for s in self._states[unit] if (new := step(s))}, words)

    def _perhaps(self, unit: UUID, step: Step) -> None:
        self._states[unit] |= {new for s in self._states[unit] if (new := step(s))}

    def _each(self, unit: UUID, step: Step) -> None:
        self._states[unit] = {step(s) or s for s in self._states[unit] if not s.done} | {
            s for s in self._states[unit] if s.done
        }

    def _keep(self, unit: UUID, states: Iterable[State], words: str) -> None:
        if unit in self._gone:
            return
        if not (kept := set(states)):
            known = ", ".join(map(str, self._states[unit]))
            self._fail(Violation(f"unit {str(unit)[:8]} {words}, and was {known}"))
        self._states[unit] = kept
