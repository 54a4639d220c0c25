"""Removing from storage what nothing refers to: dismissed jobs, and what crashes left behind."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice, takewhile

import structlog
from sqlalchemy.exc import SQLAlchemyError

from geogaze.config import Settings
from geogaze.errors import StorageUnavailable
from geogaze.ledger.collection import Collection
from geogaze.ledger.records import JOBS, PARTS, attempt_of, content_prefix, job_prefix
from geogaze.storage import Storage
from geogaze.uploads import Uploads
from worker.rounds import RoundFigures

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0
_AT_ONCE = 5000
_LOOK_SECONDS = 15.0
_UPLOAD_SECONDS = 86400.0  # no upload of ours takes a day


class Sweeper:
    """Collects garbage, and nothing else: what is removed cannot become visible any more."""

    def __init__(
        self,
        settings: Settings,
        collection: Collection,
        storage: Storage,
        figures: RoundFigures | None = None,
    ) -> None:
        self._settings = settings
        self._figures = figures or RoundFigures()
        self._looked = -math.inf
        self._collection = collection
        self._storage = storage
        self._uploads = Uploads(settings, storage)
        self._stop = threading.Event()

    def release(self) -> int:
        """Remove the objects of dismissed jobs; how many objects."""
        removed = 0
        for job, content in self._collection.dismissed():
            if self._stop.is_set():
                break
            removed += self.collect(job_prefix(job)) + self.collect(content_prefix(content))
            if not self._stop.is_set():  # or it was not searched to its end
                self._collection.released(job)
        return removed

    def collect(self, prefix: str) -> int:
        """Remove objects of attempts that are neither visible nor running; how many."""
        removed = 0
        # A search of millions of objects ends where it is when we are told to stop.
        keys = takewhile(lambda key: not self._stop.is_set(), self._storage.keys(prefix))
        while keys_here := list(islice(keys, _AT_ONCE)):
            living = self._collection.living({attempt_of(key) for key in keys_here})
            dead = [key for key in keys_here if attempt_of(key) not in living]
            self._storage.remove(dead)
            removed += len(dead)
        return removed

    def collect_all(self) -> int:
        """Expire old jobs and search the whole storage; how many objects were removed."""
        settings = self._settings
        expired = self._collection.expire(settings.retention, settings.retention_by_tenant)
        if expired:
            log.info("jobs expired", jobs=len(expired))
        if forgotten := self._collection.forget_workers():
            log.info("dead workers forgotten", workers=forgotten)
        if uploads := self._uploads.expire(self._stop.is_set):
            log.info("uploads expired", uploads=uploads)
        removed = self.release() + self.collect(JOBS) + self.collect(PARTS)
        if not self._stop.is_set():
            self._storage.abort_uploads(_UPLOAD_SECONDS)  # last: not every S3 service can
        return removed

    def look(self) -> None:
        """See now and then whether the storage answers, also while no work needs it."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        try:
            self._storage.check()
        except StorageUnavailable as error:
            self._figures.storage_is(up=False)
            log.warning("storage away", error=str(error))
        else:
            self._figures.storage_is(up=True)
        self._looked = time.monotonic()

    def run(self, stop: threading.Event, leads: Callable[[], bool]) -> None:
        """Release at once and collect now and then, while we lead, until told to stop."""
        self._stop = stop
        for due in _ticks(stop, self._settings.collect_seconds):
            self.look()
            if not leads():
                continue
            try:
                removed = self.collect_all() if due else self.release()
            except (StorageUnavailable, SQLAlchemyError) as error:
                log.warning("nothing swept", error=str(error))
                continue
            except Exception:  # nobody would see that the thread has ended
                log.exception("nothing swept")
                continue
            if removed:
                self._figures.removed(removed)
                log.info("objects removed", objects=removed)


def _ticks(stop: threading.Event, seconds: float) -> Iterator[bool]:
    """Once a second until told to stop; True at the first tick after so many seconds."""
    last = time.monotonic()
    while not stop.wait(_PAUSE_SECONDS):
        due = time.monotonic() - last >= seconds
        if due:
            last = time.monotonic()
        yield due
