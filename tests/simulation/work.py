"""What units do here: two phases and a last one, whose products are known beforehand."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from geogaze.errors import (
    DeviceBroke,
    HostOutOfMemory,
    ObjectNotFound,
    SceneAway,
    SceneUnreachable,
    ScratchUnusable,
    UnitBroke,
)
from geogaze.grid.rectangles import Division
from geogaze.ledger.records import Claim
from geogaze.ledger.submission import PhasePlan, Submission
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from tests.simulation.clock import Clock, Killed
from tests.simulation.history import Violation
from tests.simulation.judge import items_of
from tests.simulation.schedule import JobShape

ERRORS: tuple[type[Exception], ...] = (
    UnitBroke,
    SceneAway,
    SceneUnreachable,
    ScratchUnusable,
    HostOutOfMemory,
    DeviceBroke,
    MemoryError,
    ValueError,
)
OBJECTS = {"explain": ("tiles", "evidence"), "assemble": ("layer",), "publish": ("product",)}
_SLOW_TICKS = 300

Item = tuple[int, int]


def submission(shape: JobShape, number: int) -> Submission:
    """A job of a shape."""
    grid = Division(shape.rows, shape.cols, shape.side)
    divided: dict[str, Any] = {"grid": grid, "noun": "tiles", "skips": shape.skips, "shared": True}
    content = f"content-{shape.content}-{shape.skips}"
    return Submission(
        request={"scene": number},
        plan={"shape": [shape.rows, shape.cols, shape.side], "content": content},
        phases=(
            PhasePlan("explain", grid.count, 85, "explaining", **divided),
            PhasePlan("assemble", shape.layers, 10, "drawing"),
            PhasePlan("publish", 1, 5, "publishing"),
        ),
        content=content,
        process="explain",
        tenant=shape.tenant,
        idempotency_key=f"key-{number}",
    )


def all_items(grid: Division) -> list[Item]:
    """Those of a job, in order."""
    return [(row, col) for row in range(grid.rows) for col in range(grid.cols)]


def product(content: str, items: list[Item]) -> bytes:
    """What a job must leave, of the items that it could do."""
    return json.dumps([content, sorted(map(list, items))]).encode()


class Work:
    """Does units in virtual time."""

    def __init__(
        self, clock: Clock, chance: random.Random, fail: Callable[[Violation], None]
    ) -> None:
        self.clock = clock
        self.chance = chance
        self._fail = fail
        self.poison: dict[str, frozenset[Item]] = {}
        self.fates: defaultdict[str, list[type[Exception] | None]] = defaultdict(list)
        """Of the next units of a process: what it fails of; None: it hangs for a while."""
        self.causes: dict[tuple[str, int], str] = {}
        """What ended attempts at units: itself, its company in the process, or else."""

    def lost(self, process: Any, to_blame: Claim | None) -> None:
        """Note why a process is killed."""
        for claim in process.in_hand.values():
            cause = "outside" if to_blame is None else "company"
            self.causes[claim.unit_id.hex, claim.attempt] = cause
        if to_blame:
            self.causes[to_blame.unit_id.hex, to_blame.attempt] = "itself"

    def perform(self, resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
        """The work of a unit."""
        process = self.clock.running.process
        assert process
        pulse(0)
        self._suffer(process, claim)
        step = getattr(self, f"_{claim.phase}")
        outcome: Outcome = step(resources, claim, pulse, process)
        return outcome

    def _suffer(self, process: Any, claim: Claim) -> None:
        if not (fates := self.fates[process.name]):
            return
        fate = fates.pop(0)
        if fate is None:
            self.clock.wait(_SLOW_TICKS)
            return
        self.causes[claim.unit_id.hex, claim.attempt] = "itself"
        if fate is DeviceBroke:
            for other in process.in_hand.values():
                if other is not claim:
                    self.causes[other.unit_id.hex, other.attempt] = "company"
        raise fate("said so")

    def _items(self, claim: Claim) -> list[Item]:
        return items_of(claim.rectangle or Division(*claim.plan["shape"]).rectangle(claim.root))

    def _put(self, resources: Resources, claim: Claim, what: object) -> None:
        for name in OBJECTS[claim.phase]:
            data = what if isinstance(what, bytes) else json.dumps(what).encode()
            resources.storage.put(f"{claim.prefix}{name}", data)

    def _explain(self, resources: Resources, claim: Claim, pulse: Pulse, process: Any) -> Outcome:
        self.clock.wait(self.chance.randrange(1, 12))
        items = self._items(claim)
        for item in items:
            self.clock.wait(self.chance.randrange(1, 16))
            if item in self.poison.get(claim.plan["content"], ()):
                self.lost(process, claim)
                self.clock.kill(process)
                raise Killed
            pulse(1)
        self._put(resources, claim, [claim.plan["content"], items])
        return Outcome({"seen": len(items)}, items=len(items))

    def _assemble(self, resources: Resources, claim: Claim, pulse: Pulse, _: Any) -> Outcome:
        items = self._gathered(resources, claim)
        pulse(0)
        self._put(resources, claim, items)
        return Outcome({"layer": claim.root})

    def _publish(self, resources: Resources, claim: Claim, pulse: Pulse, _: Any) -> Outcome:
        items = self._gathered(resources, claim)
        pulse(0)
        layers = resources.ledger.parts(claim.job_id, "assemble")
        for layer in layers:
            resources.storage.get(f"{layer.prefix}layer")
        data = product(claim.plan["content"], items)
        self._put(resources, claim, data)
        key = f"{claim.prefix}product"
        file = {"key": key, "file": "product", "size": len(data)}
        return Outcome({"assets": {"files": {"product": file}, "skipped": []}})

    def _gathered(self, resources: Resources, claim: Claim) -> list[Item]:
        """All items, from the parts of the first phase, as later phases read them."""
        parts = resources.ledger.parts(claim.job_id, "explain")
        skipped = resources.ledger.skipped(claim.job_id)
        items: list[Item] = []
        for part in parts:
            content, found = json.loads(resources.storage.get(f"{part.prefix}tiles"))
            resources.storage.get(f"{part.prefix}evidence")
            if content != claim.plan["content"]:
                self._fail(Violation("a job reads another content's part"))
            items += [(row, col) for row, col in found]
        grid = Division(*claim.plan["shape"])
        rectangles = [one.rectangle or grid.rectangle(one.root) for one in skipped]
        left_out = [item for one in rectangles for item in items_of(one)]
        if sorted(items + left_out) != all_items(grid):
            # A job that was released meanwhile has no units any more: its claim shows it.
            raise ObjectNotFound("Some parts are missing.")
        return items
