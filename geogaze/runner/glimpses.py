"""What a job shows while it runs: a coarse picture of all chunks so far, now and then.

Each unit leaves a glimpse of its chunk in its part. Every few seconds a worker lays what glimpses
there are together, and the picture goes into the part in hand: it becomes visible with it, and goes
with it. So nothing waits for it, and no picture is ever of somebody else's work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

import numpy as np
import structlog

from geogaze.errors import GeogazeError
from geogaze.grid.tiling import Chunk
from geogaze.ledger.database import DATABASE_AWAY
from geogaze.ledger.records import Claim
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.glimpses import Gathered
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.so_far import SO_FAR
from geogaze.products.glimpses import Glimpse
from geogaze.products.make.so_far import Caption, draw_so_far
from geogaze.runner.chunk import ChunkResult
from geogaze.storage import Storage

log = structlog.get_logger()

_LEAST_SECONDS = 2.0
_COST = 100.0  # times as long as it took, a picture is not made again
_AT_ONCE = 64  # glimpses that are fetched for one picture


def glimpse_of(chunk: Chunk, done: ChunkResult) -> Glimpse:
    """A chunk's glimpse."""
    rows, cols = chunk.shape
    heat = np.full((len(done.evidence), rows * cols), np.nan, dtype=np.float32)
    heat[:, done.table.seen] = np.maximum(done.evidence, 0).mean(axis=(2, 3))
    return Glimpse(heat.reshape(-1, rows, cols), done.picture)


class Gathering:
    """The glimpses of one job's parts that this process has laid together."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._lock = threading.Lock()
        self._gathered = Gathered(plan)
        self._next = 0.0

    def picture(
        self, ledger: Ledger, storage: Storage, job_id: UUID, chunk: Chunk, mine: Glimpse
    ) -> bytes:
        """The picture with the chunk in hand; empty where it is too early for another.

        Raises:
            GeogazeError: ledger or storage failed.
        """
        with self._lock:
            self._gathered.lay(chunk, mine)
            begun = self._clock()
            if begun < self._next:
                return b""
            self._gathered.lay_parts(storage, ledger.parts(job_id, "explain"), _AT_ONCE)
            job = facts_of(self._plan)
            caption = Caption(
                f"Where {job.model.name} looks",
                job.source.uri.rsplit("/", 1)[-1],
                self.tiles,
                self._plan.tiles,
            )
            drawn = draw_so_far(
                self._gathered.canvas, self._plan.layers, caption, self._plan.colormap
            )
            took = self._clock() - begun
            self._next = begun + max(_LEAST_SECONDS, _COST * took)
            return drawn

    @property
    def tiles(self) -> int:
        """How many tiles are laid."""
        return self._gathered.tiles


@lru_cache(maxsize=8)
def _gathering(job: str, plan: str) -> Gathering:
    return Gathering(Plan.model_validate_json(plan))


def show_so_far(
    ledger: Ledger, storage: Storage, claim: Claim, plan: Plan, chunk: Chunk, glimpse: Glimpse
) -> int:
    """Store, where it is time, the picture of all so far, a chunk's glimpse included.

    What fails here fails no unit.

    Returns:
        The tiles in the picture; 0 where there is none.
    """
    try:
        gathering = _gathering(str(claim.job_id), plan.model_dump_json())
        if drawn := gathering.picture(ledger, storage, claim.job_id, chunk, glimpse):
            storage.put(claim.prefix + SO_FAR, drawn)
            return gathering.tiles
    except (GeogazeError, OSError, *DATABASE_AWAY) as error:
        log.warning("no preview of the job so far", job=str(claim.job_id), error=str(error))
    return 0
