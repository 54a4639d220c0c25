"""What the units of an audit have left so far, scene by scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from geogaze.audit.auditing import Seen, seeds_of_random
from geogaze.audit.balance import Floats
from geogaze.audit.causing import Effects
from geogaze.audit.measuring import Measured, together
from geogaze.audit.packing import Columns, effects_of, measured_of, packed, unpacked_of
from geogaze.config import Settings
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.retries import Patience
from geogaze.ledger.store import Ledger
from geogaze.processes.audit.plan import AuditPlan
from geogaze.storage import Storage

_FILE = "found.npz"
_SHOWING = "showing"
EVIDENCE = "evidence"
"""What the units with random weights leave of a scene."""


def is_lenient(settings: Settings, claim: Claim, plan: AuditPlan, at: int) -> bool:
    """Whether tiles of a scene that cannot be read are left out, or the unit is tried again.

    What a remote store did not send may come the next time.
    """
    last_try = Patience.of(settings).is_last(claim.failures)
    return last_try or not plan.sites[at].scene.remote


def kept(
    storage: Storage, claim: Claim, found: dict[int, Columns], showing: dict[int, bool]
) -> dict[str, Any]:
    """Store what a unit has found of some scenes; what the ledger is told of it.

    Args:
        storage: where to.
        claim: of the unit.
        found: arrays of scenes by their positions.
        showing: which of those scenes show an object there.
    """
    if found:
        storage.put(f"{claim.prefix}{_FILE}", packed(found))
    return {_SHOWING: [[at, showing.get(at, False)] for at in found]}


class Audited:
    """An audit as far as its units have come.

    Args:
        ledger: knows which of them are done.
        storage: has what they left.
        claim: of one of them.
        plan: the audit's.
    """

    def __init__(self, ledger: Ledger, storage: Storage, claim: Claim, plan: AuditPlan) -> None:
        self._ledger, self._storage, self._plan = ledger, storage, plan
        self._job = claim.job_id
        self._parts: dict[str, list[Part]] = {}

    def showing(self) -> dict[int, bool]:
        """Of each scene with a tile that is known in full, whether any shows an object."""
        found: dict[int, bool] = {}
        for part in self._of("measure"):
            for at, shows in part.result[_SHOWING]:
                found[at] = found.get(at, False) or shows
        return dict(sorted(found.items()))

    def seeds_of_random(self) -> dict[int, int]:
        """The scenes that are also looked at with random weights, and the seed of each one's."""
        return seeds_of_random(self.showing(), self._plan.seed)

    def measured(self, at: int, strip: int | None = None) -> Measured | None:
        """What was measured on a scene, or by the units of one strip; None without a known tile."""
        parts = [part for part in self._of("measure") if strip in {None, part.root}]
        return together(
            [measured_of(columns, self._plan.sites[at]) for columns in self._columns(parts, at)]
        )

    def seen(self, at: int) -> Seen | None:
        """All that was found on a scene; None without a known tile."""
        measured = self.measured(at)
        if measured is None:
            return None
        return Seen(at, measured, self._effects(at), self._randomised(at, len(measured.places)))

    def _effects(self, at: int) -> Effects | None:
        found = self._columns(self._of("change"), at)
        return effects_of(found[0]) if found else None

    def _randomised(self, at: int, tiles: int) -> Floats | None:
        """None too where some workers had no torch: of a part nothing can be said."""
        found = [columns[EVIDENCE] for columns in self._columns(self._of("randomise"), at)]
        whole = sum(map(len, found)) == tiles
        return np.concatenate(found) if whole else None

    def _of(self, phase: str) -> list[Part]:
        """A phase's parts in the order of their tiles."""
        if phase not in self._parts:
            self._parts[phase] = sorted(
                self._ledger.parts(self._job, phase),
                key=lambda part: (part.root, part.rectangle or ()),
            )
        return self._parts[phase]

    def _columns(self, parts: list[Part], at: int) -> list[Columns]:
        return [
            unpacked_of(self._storage.get(f"{part.prefix}{_FILE}"), at)
            for part in parts
            if at in {there for there, _ in part.result[_SHOWING]}
        ]
