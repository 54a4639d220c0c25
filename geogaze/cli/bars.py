"""The bar of a run: its tiles, and the time left at the pace of late."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.progress import Progress

from geogaze.cli.quote import print_left
from geogaze.ledger.pace import Pace
from geogaze.ledger.records import JobStatus


class TilesBar:
    """Says where a run stands, and once, as a line that stays, how long its tiles take."""

    def __init__(self, bar: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._bar = bar
        self._clock = clock
        self._pace = Pace()
        self._most = 0
        self._told = False
        self._task = bar.add_task("reading the scene", total=None, speed=None, left=None)

    def show(self, status: JobStatus, tiles: int) -> None:
        """Take in a job's status, and the tiles that were explained since."""
        now, done = self._clock(), status.items_done + tiles
        if tiles:  # a batch; what was there before the first one is no pace
            self._pace = self._pace.seen(now, done)
        self._most = max(self._most, done)
        explaining = self._most < status.items
        left = self._pace.seconds_left(now, status.items) if explaining else None
        if left is not None and not self._told:
            print_left(left)
            self._told = True
        self._bar.update(
            self._task,
            description="explaining" if explaining else status.headline,
            total=status.items,
            completed=self._most,
            speed=self._pace.rate(now) if explaining else None,
            left=left,
        )
