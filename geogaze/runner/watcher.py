"""Who looks on while a worker works, as figures for operators do."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from geogaze.ledger.records import Claim
from geogaze.runner.names import process_name
from geogaze.tracing import tell_step

DONE, HANDED_BACK = "done", "handed-back"
"""What an attempt at a unit may come to, besides the slug of what it failed of."""


class Watcher:
    """Is told, and does nothing about it. Lanes tell from their own threads, at the same time."""

    def on_items(self, claim: Claim, count: int) -> None:
        """A batch of so many items of a unit is done."""

    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        """An attempt at a unit has ended, after so many seconds."""


class Watchers(Watcher):
    """Several who look on. What ails one is not hidden, and the others are told all the same."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    @override
    def on_items(self, claim: Claim, count: int) -> None:
        with ExitStack() as telling:
            for one in reversed(self._watchers):
                telling.callback(one.on_items, claim, count)

    @override
    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        with ExitStack() as telling:
            for one in reversed(self._watchers):
                telling.callback(one.on_ended, claim, outcome, seconds)


class UnitSpans(Watcher):
    """Tells attempts at units as steps of their job's trace, named for the phase."""

    @override
    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        tell_step(
            claim.job_id,
            claim.phase,
            seconds,
            unit=str(claim.unit_id),
            position=claim.position,
            attempt=claim.attempt,
            outcome=outcome,
            worker=process_name(),
        )


def model_of(claim: Claim) -> str | None:
    """The model that a unit is explained with, if its process has any."""
    bundle = claim.plan.get("bundle") or {}
    name: str | None = bundle.get("name")
    return name


def words_of(claim: Claim) -> dict[str, object]:
    """What each line of the log says of the unit that it is about."""
    words: dict[str, object] = {
        "job": str(claim.job_id),
        "phase": claim.phase,
        "unit": claim.position,
        "attempt": claim.attempt,
    }
    return {**words, "request": claim.request_id} if claim.request_id else words
