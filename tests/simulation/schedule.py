"""A schedule: what jobs there are, and what goes wrong when. All of it follows from a number.

A number and a list of faults can be written in a line, run again, and made shorter.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

FAULTS_UNTIL = 240
"""Ticks; there is peace from then on, once the longest fault has passed."""

_SMALL = 0.95
"""Of schedules have jobs that are soon done, and faults while they are: most bugs need no more."""
_SAME = 0.6
"""Of schedules with two jobs have two of the same content."""
_SMALL_SHAPES = ((1, 1), (1, 2), (1, 2))
_SMALL_UNTIL = (40, 80, 160)
_SHAPES = ((1, 1), (1, 2), (2, 2), (1, 3), (2, 3))

_WEIGHTS: dict[str, int] = {
    "kill child": 5,  # another takes its place under its name
    "kill worker": 3,  # … under another name
    "kill at put": 2,
    "freeze at put": 4,
    "kill at commit": 4,
    "stop worker": 2,
    "stop at commit": 2,  # and its answer gets lost
    "freeze worker": 6,
    "cut worker": 5,  # from the database
    "kill dispatcher": 3,
    "freeze dispatcher": 2,
    "cut dispatcher": 2,
    "database away": 3,
    "database slow": 3,
    "answer lost": 6,  # of a transaction of a worker's
    "dispatcher's answer lost": 2,
    "storage away": 2,
    "storage slow": 1,
    "storage forgets": 2,  # the last writes that it acknowledged
    "put fails": 3,
    "broker emptied": 2,
    "broker away": 1,
    "broker shuffled": 2,
    "messages": 6,
    "unit fails": 6,
    "unit hangs": 3,
    "dismiss": 5,
    "submit again": 2,
    "retry": 1,
}
LOSING = "database forgets"


@dataclass(frozen=True)
class Fault:
    """What goes wrong at a moment. ``which`` is a number for whatever it concerns."""

    at: int
    kind: str
    which: int
    size: int

    def __str__(self) -> str:
        return f"{self.at}/{self.kind}/{self.which}/{self.size}"


@dataclass(frozen=True)
class JobShape:
    """A job of rows × cols items in units of a side; ``poison`` items kill whoever tries them."""

    at: int
    rows: int
    cols: int
    side: int
    layers: int
    skips: bool
    poison: frozenset[tuple[int, int]]
    content: int
    tenant: str


@dataclass(frozen=True)
class Schedule:
    """``collects`` is whether each sweep searches the whole storage."""

    seed: str
    workers: int
    lanes: int
    dispatchers: int
    collects: bool
    jobs: tuple[JobShape, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, seed: str, besides: tuple[str, ...] = ()) -> Schedule:
        """That of a seed; ``besides`` are kinds of faults that come once more than they would."""
        chance = random.Random(f"schedule {seed}")
        small = chance.random() < _SMALL
        count = chance.choice([1, 1, 1, 1, 1, 2] if small else [1, 1, 2])
        # Of two jobs one may be retried while the other is at work: more of them fail.
        poisoned, skipping = (0.2, 0.7) if count == 1 else (0.4, 0.5)
        jobs = [_job(chance, number, poisoned, skipping, small=small) for number in range(count)]
        if len(jobs) > 1 and chance.random() < _SAME:
            # Of several units, some of which are done when the other job comes.
            jobs[0] = replace(jobs[0], side=1, cols=max(2, jobs[0].cols))
            jobs[1] = replace(jobs[0], at=20 + jobs[1].at, layers=jobs[1].layers)
        kinds = chance.choices(
            [*_WEIGHTS], [*_WEIGHTS.values()], k=chance.randrange(8 if small else 11)
        )
        until = chance.choice(_SMALL_UNTIL) if small else FAULTS_UNTIL
        faults = [_fault(chance, kind, until) for kind in [*kinds, *besides]]
        return cls(
            seed=seed,
            workers=chance.choice([1, 1, 2] if small else [1, 2, 2]),
            lanes=chance.choice([1, 2]),
            dispatchers=chance.choice([1, 1, 1, 2]),
            collects=chance.random() < 0.25,
            jobs=tuple(jobs),
            faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        )


def _fault(chance: random.Random, kind: str, until: int) -> Fault:
    return Fault(chance.randrange(until), kind, chance.randrange(60), chance.randrange(8))


def _job(
    chance: random.Random, number: int, poisoned: float, skipping: float, *, small: bool
) -> JobShape:
    rows, cols = chance.choice(_SMALL_SHAPES if small else _SHAPES)
    poison: set[tuple[int, int]] = set()
    if chance.random() < poisoned:
        poison.add((chance.randrange(rows), chance.randrange(cols)))
    return JobShape(
        at=chance.randrange(60) if number else 0,
        rows=rows,
        cols=cols,
        side=chance.choice([1, 2, 2]),
        layers=chance.choice([0, 0, 0, 0, 1] if small else [0, 0, 0, 1, 2]),
        skips=chance.random() < skipping,
        poison=frozenset(poison),
        content=number,
        tenant=chance.choice(["anna", "bob"]),
    )


def shrunk(schedule: Schedule, fails: Callable[[Schedule], Any]) -> Schedule:
    """A schedule that fails too, of as few faults, jobs and processes as can be left."""

    def smaller(one: Schedule) -> list[Schedule]:
        fewer = []
        size = len(one.faults) // 2
        while size:
            for start in range(0, len(one.faults), size):
                left = one.faults[:start] + one.faults[start + size :]
                fewer.append(replace(one, faults=left))
            size //= 2
        fewer += [
            replace(one, jobs=tuple(job for job in one.jobs if job is not gone))
            for gone in one.jobs
            if len(one.jobs) > 1
        ]
        fewer += [
            replace(one, jobs=tuple(replace(j, **change) if j is job else j for j in one.jobs))
            for job in one.jobs
            for change in ({"layers": 0}, {"rows": 1}, {"cols": 1}, {"poison": frozenset()})
        ]
        for name in ("workers", "lanes", "dispatchers"):
            if getattr(one, name) > 1:
                fewer.append(replace(one, **{name: getattr(one, name) - 1}))
        return [other for other in fewer if other != one]

    while True:
        found = next((other for other in smaller(schedule) if fails(other)), None)
        if found is None:
            return schedule
        schedule = found
