"""Who looks on while a worker works, as figures for operators do."""

from __future__ import annotations

from geogaze.ledger.records import Claim

DONE, HANDED_BACK = "done", "handed-back"
"""What an attempt at a unit may come to, besides the slug of what it failed of."""


class Watcher:
    """Is told, and does nothing about it. Lanes tell from their own threads, at the same time."""

    def on_items(self, claim: Claim, count: int) -> None:
        """A batch of so many items of a unit is done."""

    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        """An attempt at a unit has ended, after so many seconds."""


def model_of(claim: Claim) -> str | None:
    """The model that a unit is explained with, if its process has any."""
    bundle = claim.plan.get("bundle") or {}
    name: str | None = bundle.get("name")
    return name
