"""What becomes of units that failed: the table, and the decisions that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from geogaze import errors
from geogaze.config import Settings
from geogaze.errors import GeogazeError, Retry
from geogaze.ledger import retries
from geogaze.ledger.retries import (
    POLICIES,
    Backoff,
    Counts,
    Decision,
    Patience,
    Step,
    Waits,
    decide,
)
from tests.unit.ledger.suite import patience

MOST = 3


def decided(
    kind: Retry,
    *,
    failures: int = 0,
    outages: int = 0,
    divided: bool = True,
    repeated: bool = False,
) -> Decision:
    counts = {"failures": failures, "outages": outages}
    return decide(kind, patience(MOST), **counts, divided=divided, repeated=repeated)


def kinds(base: type[GeogazeError]) -> Iterator[type[GeogazeError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_the_table_knows_every_kind() -> None:
    assert set(POLICIES) == set(Retry)
    used = {kind.retry for kind in kinds(GeogazeError)} | {GeogazeError.retry}
    assert used == set(Retry), "a kind that no error names is none"


def test_whoever_made_the_request_wrong_is_not_tried_again() -> None:
    assert {kind.retry for kind in kinds(errors.InvalidRequest)} == {Retry.NEVER}


class Policies(NamedTuple):
    """What the table comes to, of a unit at its first try and at its last."""

    first: Step
    last: Step
    spends: int


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Retry.NEVER, Policies(Step.FAIL, Step.FAIL, 1)),
        (Retry.ELSEWHERE, Policies(Step.AGAIN, Step.FAIL, 1)),
        (Retry.OUTAGE, Policies(Step.AGAIN, Step.AGAIN, 0)),
        (Retry.SOURCE_AWAY, Policies(Step.AGAIN, Step.FAIL, 1)),
        (Retry.SUSPECT, Policies(Step.AGAIN, Step.DIVIDE, 1)),
        (Retry.BROKE, Policies(Step.DIVIDE, Step.DIVIDE, 1)),
        (Retry.TOO_MUCH, Policies(Step.DIVIDE, Step.DIVIDE, 0)),
    ],
)
def test_kinds(kind: Retry, expected: Policies) -> None:
    first, last = decided(kind), decided(kind, failures=MOST - 1)
    assert (first.step, last.step) == (expected.first, expected.last)
    assert first.failures == expected.spends
    assert last.failures == MOST - 1 + expected.spends


def test_outages_have_a_count_and_a_patience_of_their_own() -> None:
    most = patience(MOST).outage_patience * MOST
    at = decided(Retry.OUTAGE, failures=2, outages=most - 2)
    assert at == Decision(Step.AGAIN, failures=2, outages=most - 1, spent=most - 1)
    assert decided(Retry.OUTAGE, failures=2, outages=most - 1).step is Step.FAIL


def test_what_cannot_be_divided_is_tried_again_unless_it_says_the_same_twice() -> None:
    for kind in (Retry.BROKE, Retry.TOO_MUCH):
        assert decided(kind, divided=False) == Decision(Step.AGAIN, 1, 0, 1)
        assert decided(kind, divided=False, failures=MOST - 1).step is Step.FAIL
    assert decided(Retry.BROKE, divided=False, repeated=True).step is Step.FAIL
    assert decided(Retry.TOO_MUCH, divided=False, repeated=True).step is Step.AGAIN


@pytest.mark.parametrize(
    ("kind", "divided", "repeated"), list(product(Retry, [True, False], [True, False]))
)
def test_every_unit_comes_to_an_end(kind: Retry, divided: bool, repeated: bool) -> None:
    failures = outages = 0
    for _ in range(100):
        decision = decided(
            kind, failures=failures, outages=outages, divided=divided, repeated=repeated
        )
        if decision.step is not Step.AGAIN:
            assert divided or decision.step is Step.FAIL
            return
        assert decision.failures + decision.outages > failures + outages
        failures, outages = decision.failures, decision.outages
    raise AssertionError("it does not end")


def test_only_an_away_source_lets_the_others_wait() -> None:
    waiting = {kind for kind, policy in POLICIES.items() if policy.waits is Waits.ONE_LOOKS}
    assert waiting == {Retry.SOURCE_AWAY}
    assert {k for k, p in POLICIES.items() if p.counts is Counts.OUTAGES} == {Retry.OUTAGE}


def test_waits_double_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: (low, high))
    backoff = Backoff(0.5, 60.0)
    assert [backoff.seconds(tries) for tries in (1, 2, 3, 7, 500, 10**6)] == [
        *((0, 1.0), (0, 2.0), (0, 4.0), (0, 60.0), (0, 60.0), (0, 60.0))
    ]


def test_the_numbers_are_the_operators() -> None:
    plain = Patience.of(Settings())
    assert plain == Patience(5, 4, 2, Backoff(0.5, 60.0))
    settings = Settings(
        max_attempts=9,
        outage_patience=7,
        split_attempts=3,
        backoff_seconds=0.1,
        backoff_cap_seconds=2.0,
    )
    assert Patience.of(settings) == Patience(9, 7, 3, Backoff(0.1, 2.0))
    assert Patience.of(settings).failures_of_halves == 6
    assert Patience.of(Settings(max_attempts=1)).failures_of_halves == 0


def test_the_last_try_is_known() -> None:
    assert [patience(3).is_last(failures) for failures in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_try_that_decides_is_made_alone(attempts: int) -> None:
    numbers = patience(attempts)
    alone = [failures >= numbers.failures_tried_alone for failures in range(attempts)]
    assert alone == [numbers.is_last(failures) for failures in range(attempts)]
