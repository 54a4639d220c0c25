"""What a job shows while it runs: a coarse picture of all chunks so far, now and then.

Each unit leaves a glimpse of its chunk in its part. Every few seconds a worker lays what glimpses
there are together, and the picture goes into the part in hand: it becomes visible with it, and goes
with it. So nothing waits for it, and no picture is ever of somebody else's work.
"""

from __future__ import annotations

import io
import math
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

import numpy as np
import structlog

from geogaze.arrays import unpacked
from geogaze.errors import GeogazeError
from geogaze.grid.tiling import Chunk
from geogaze.ledger.database import DATABASE_AWAY
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.store import Ledger
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.so_far import SO_FAR
from geogaze.products.make.so_far import Canvas, Caption, Glimpse, draw_so_far
from geogaze.runner.ahead import ahead
from geogaze.runner.chunk import ChunkResult
from geogaze.runner.part import load_behind
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


def packed(glimpse: Glimpse) -> bytes:
    """A glimpse, as it lies in a part behind the evidence."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heat=glimpse.heat, picture=glimpse.picture)
    return buffer.getvalue()


def load_glimpse(storage: Storage, part: Part, plan: Plan) -> Glimpse | None:
    """Read back a part's glimpse; None of a part that an earlier release left."""
    data = load_behind(storage, part, len(plan.layers), plan.tiling.cells)
    if not data:
        return None
    return Glimpse(**unpacked(data))


class Gathering:
    """The glimpses of one job's parts that this process has laid together."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._lock = threading.Lock()
        tiling = plan.tiling
        reach = tiling.cells / tiling.step
        self._canvas = Canvas(len(plan.layers), tiling.rows, tiling.cols, reach)
        self._laid: set[Chunk] = set()
        self._next = 0.0

    def picture(
        self, ledger: Ledger, storage: Storage, job_id: UUID, chunk: Chunk, mine: Glimpse
    ) -> bytes:
        """The picture with the chunk in hand; empty where it is too early for another.

        Raises:
            GeogazeError: ledger or storage failed.
        """
        with self._lock:
            self._lay(chunk, mine)
            begun = self._clock()
            if begun < self._next:
                return b""
            parts = ledger.parts(job_id, "explain")
            chunks = {self._plan.chunk(part.root, part.rectangle): part for part in parts}
            new = [(at, part) for at, part in chunks.items() if at not in self._laid][:_AT_ONCE]
            glimpses = ahead(lambda pair: load_glimpse(storage, pair[1], self._plan), new)
            for (at, _), glimpse in zip(new, glimpses, strict=True):
                if glimpse:
                    self._lay(at, glimpse)
            job = facts_of(self._plan)
            caption = Caption(
                f"Where {job.model.name} looks",
                job.source.uri.rsplit("/", 1)[-1],
                self.tiles,
                self._plan.tiles,
            )
            drawn = draw_so_far(self._canvas, self._plan.layers, caption, self._plan.colormap)
            took = self._clock() - begun
            self._next = begun + max(_LEAST_SECONDS, _COST * took)
            return drawn

    @property
    def tiles(self) -> int:
        """How many tiles are laid."""
        return sum(math.prod(chunk.shape) for chunk in self._laid)

    def _lay(self, chunk: Chunk, glimpse: Glimpse) -> None:
        if chunk not in self._laid:
            self._laid.add(chunk)
            self._canvas.lay(chunk.row0, chunk.col0, glimpse)


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
