"""What becomes of a unit that failed: one table by the kind of its error. Pure, but for jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from geogaze.config import Settings
from geogaze.errors import Retry


class Waits(StrEnum):
    """How a unit is tried again as it is."""

    NO = "no"  # it is not
    BACKOFF = "backoff"  # after a while, ever longer
    ONE_LOOKS = "one looks"  # so, and the job's other units wait: theirs would fail too


class Counts(StrEnum):
    """Which count of a unit's an attempt goes to, and whose patience it is up against."""

    FAILURES = "failures"  # max_attempts
    OUTAGES = (
        "outages"  # outage_patience times as many: nobody's fault, but a job must end some day
    )


@dataclass(frozen=True)
class Policy:
    """What is done about a unit that failed.

    Attributes:
        spends_try: whether it has one try less.
        waits: how it is tried again as it is.
        divides: whether one of its items may be to blame: it is split, so that the others are
            saved, once it is not tried again. Where its phase is not divided it is tried again.
        counts: where the attempt is counted.
    """

    spends_try: bool
    waits: Waits
    divides: bool = False
    counts: Counts = Counts.FAILURES


POLICIES = {
    Retry.NEVER: Policy(spends_try=True, waits=Waits.NO),
    Retry.ELSEWHERE: Policy(spends_try=True, waits=Waits.BACKOFF),
    Retry.OUTAGE: Policy(spends_try=False, waits=Waits.BACKOFF, counts=Counts.OUTAGES),
    Retry.SOURCE_AWAY: Policy(spends_try=True, waits=Waits.ONE_LOOKS),
    Retry.SUSPECT: Policy(spends_try=True, waits=Waits.BACKOFF, divides=True),
    Retry.BROKE: Policy(spends_try=True, waits=Waits.NO, divides=True),
    Retry.TOO_MUCH: Policy(spends_try=False, waits=Waits.NO, divides=True),
}


@dataclass(frozen=True)
class Backoff:
    """Waits that double up to a cap, with full jitter. In seconds."""

    base: float
    cap: float

    def seconds(self, tries: int) -> float:
        """How long to wait after so many tries."""
        ceiling = min(self.cap, self.base * 2 ** min(tries, 64))
        return random.uniform(0, ceiling)  # noqa: S311  jitter, not a secret


@dataclass(frozen=True)
class Patience:
    """The operator's numbers; what they are, the settings of these names say."""

    max_attempts: int
    outage_patience: int
    split_attempts: int
    backoff: Backoff

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings."""
        return cls(
            settings.max_attempts,
            settings.outage_patience,
            settings.split_attempts,
            Backoff(settings.backoff_seconds, settings.backoff_cap_seconds),
        )

    def is_last(self, failures: int) -> bool:
        """Whether a unit that has spent so many tries is at its last one."""
        return failures + 1 >= self.max_attempts

    @property
    def failures_tried_alone(self) -> int:
        """So many tries are spent before the last one, which decides: it is made alone.

        A unit's process may end by the fault of another unit. Where there is one try, a process
        does its units one by one.
        """
        return self.max_attempts - 1

    @property
    def failures_of_halves(self) -> int:
        """What a unit that is split off has spent from the start."""
        return max(0, self.max_attempts - self.split_attempts)


class Step(StrEnum):
    """What is done next with a unit that failed."""

    AGAIN = "again"
    DIVIDE = "divide"  # a single item is left out, or its job fails
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What is done next, and the unit's counts from now on; ``spent`` is the one that counts."""

    step: Step
    failures: int
    outages: int
    spent: int


def decide(
    kind: Retry,
    patience: Patience,
    *,
    failures: int,
    outages: int,
    divided: bool,
    repeated: bool,
) -> Decision:
    """Decide on a unit whose attempt failed.

    Args:
        kind: of the error.
        patience: the operator's numbers.
        failures: tries that it had spent before.
        outages: attempts that outages had ended before.
        divided: whether its phase is divided into rectangles of items.
        repeated: whether it failed with these very words before. What says the same words twice is
            no chance, and would say them a third time.
    """
    policy = POLICIES[kind]
    whole = policy.divides and not divided  # what cannot be divided is tried again instead
    if policy.counts is Counts.OUTAGES:
        outages += 1
        spent, most = outages, patience.outage_patience * patience.max_attempts
    else:
        failures += policy.spends_try or whole
        spent, most = failures, patience.max_attempts
    chance = not (repeated and policy.spends_try)
    if (policy.waits is not Waits.NO or (whole and chance)) and spent < most:
        step = Step.AGAIN
    else:
        step = Step.DIVIDE if policy.divides and divided else Step.FAIL
    return Decision(step, failures, outages, spent)
