"""One worker's turn: claim a unit, do it under a heartbeat, commit it or hand it back."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import structlog

from geogaze.config import Settings
from geogaze.cores import usable_cores
from geogaze.errors import (
    DatabaseUnavailable,
    GeogazeError,
    HostOutOfMemory,
    StaleClaim,
    StorageUnavailable,
)
from geogaze.evidence.engines import device_kind, device_name
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import DATABASE_AWAY, connect
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.retries import Patience
from geogaze.ledger.spending import Effort
from geogaze.ledger.store import Ledger
from geogaze.ledger.workers import Report, Workers
from geogaze.runner.company import Company
from geogaze.runner.heartbeat import Heartbeat
from geogaze.runner.meter import Meter
from geogaze.runner.names import process_name
from geogaze.runner.phases import Outcome, Resources, load_phases, perform
from geogaze.runner.scratch import clean_scratch
from geogaze.runner.unforeseen import as_ours
from geogaze.runner.watcher import DONE, HANDED_BACK, Watcher, model_of, words_of
from geogaze.scene.readers import load_readers
from geogaze.storage import open_storage

log = structlog.get_logger()

_ASK_SECONDS = 0.1  # between batches
_IDLE_SECONDS = 0.5  # between the many small steps of later phases
_TELL_SECONDS = 2.0
_REPORT_SECONDS = 10.0
_COMMIT_AGAIN_SECONDS = 1.0

ItemCallback = Callable[[int], None]
LaneCallback = Callable[[threading.Thread], None]


class Stopped(BaseException):  # not an error of the unit's
    """The worker was told to stop."""


class Worker:
    """Does units, each on the thread that asks for it.

    Args:
        resources: what it works with.
        claims: where units are claimed.
        on_items: told of the items of every batch.
        ends_with: errors after which it goes on no more, besides those that end any process.
        watcher: told of batches and of units that end.
    """

    def __init__(
        self,
        resources: Resources,
        claims: Claims,
        *,
        on_items: ItemCallback = lambda items: None,
        ends_with: tuple[type[GeogazeError], ...] = (),
        watcher: Watcher | None = None,
    ) -> None:
        self.resources = resources
        self._watcher = watcher or Watcher()
        self._meter = Meter()
        self._model: str | None = None
        self._ends_with = ends_with
        self._claims = claims
        self._queue = Queue(resources.ledger.database)
        self._workers = Workers(resources.ledger.database)
        self._on_items = on_items
        self._company = Company()
        self._stopping = threading.Event()
        self._name = process_name()
        self._reporting = threading.Thread(target=self._report, daemon=True, name="report")

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        on_items: ItemCallback = lambda items: None,
        ends_with: tuple[type[GeogazeError], ...] = (),
        watcher: Watcher | None = None,
    ) -> Worker:
        """A worker on the database and storage that the settings name, with its parts loaded."""
        load_phases()
        load_readers()
        engine = connect(settings.database_url)
        claims = Claims(
            engine, lease_seconds=settings.lease_seconds, patience=Patience.of(settings)
        )
        resources = Resources(settings, Ledger(engine), open_storage(settings))
        return cls(resources, claims, on_items=on_items, ends_with=ends_with, watcher=watcher)

    def enlist(self) -> None:
        """Take the place of a process that crashed, if one did, and say regularly that we live."""
        clean_scratch(self.resources.settings)
        # Before the first claim under this name: later it would take our own units away.
        with suppress(*DATABASE_AWAY):  # then their leases run out
            self._claims.leave(self._name)
        self._reporting.start()

    def leave(self) -> None:
        """Take no more units, and say that we go; what is still in hand is due again at once."""
        self.stop()
        if self._reporting.is_alive():
            self._reporting.join(_REPORT_SECONDS)
        try:
            self._claims.leave(self._name)
        except DATABASE_AWAY as error:  # then it shows in a minute
            log.warning("worker leaves untold", error=str(error))

    def _report(self) -> None:
        while not self._stopping.is_set():
            try:
                self._workers.report(self._about())
            except DATABASE_AWAY as error:
                log.warning("worker not reported", error=str(error))
            except Exception:  # a worker that nobody hears of gets no work
                log.exception("worker not reported")
            self._stopping.wait(_REPORT_SECONDS)

    def _about(self) -> Report:
        settings = self.resources.settings
        return Report(self._name, settings.lanes, device_name(settings), self._model)

    def stop(self) -> None:
        """Hand back the units in hand, each after its batch."""
        self._stopping.set()

    def run(self, unit_id: UUID, on_left_behind: LaneCallback = lambda lane: None) -> Claim | None:
        """Do a unit if it is to be had. Its claim if it was, whatever came of it.

        Args:
            unit_id: the unit.
            on_left_behind: told of this thread if the unit is somebody else's, and it hangs on.

        Raises:
            GeogazeError: one after which this process can do no other unit; this one is given back.
        """
        with self._company.joined():
            if claim := self._claim(unit_id, in_company=True):
                self._run(claim, on_left_behind)
                return claim
        with suppress(*DATABASE_AWAY):
            if self._claims.is_last_try(unit_id):
                with self._company.alone():
                    if claim := self._claim(unit_id):
                        self._run(claim, on_left_behind)
        return claim

    def _claim(self, unit_id: UUID, *, in_company: bool = False) -> Claim | None:
        try:
            return self._claims.claim(unit_id, self._name, in_company=in_company)
        except DATABASE_AWAY as error:
            log.warning("unit not claimed", unit_id=str(unit_id), error=str(error))
            return None  # it is handed out again

    def _run(self, claim: Claim, on_left_behind: LaneCallback) -> None:
        def left_behind(lane: threading.Thread) -> None:
            self._company.leave(lane)
            on_left_behind(lane)

        started, outcome = time.monotonic(), HANDED_BACK
        self._meter.begin(claim.token)
        with structlog.contextvars.bound_contextvars(**words_of(claim)):
            try:
                outcome = self._attempt(claim, left_behind)
            except GeogazeError as error:
                outcome = error.slug
                raise
            finally:
                self._meter.end(claim.token)
                seconds = time.monotonic() - started
                self._tell(lambda: self._watcher.on_ended(claim, outcome, seconds))

    def _effort(self, claim: Claim) -> Effort:
        settings = self.resources.settings
        cores = settings.torch_threads or usable_cores()
        return Effort(device_kind(settings), self._meter.seconds(claim.token), cores)

    def _tell(self, who_looks_on: Callable[[], None]) -> None:
        """Whatever ails who only looks on, the work goes on."""
        try:
            who_looks_on()
        except Exception:
            log.exception("figures not kept")

    def _attempt(self, claim: Claim, on_left_behind: LaneCallback) -> str:
        """Do a unit that was claimed; what came of it, in a word for figures."""
        log.debug("unit taken")
        self._model = model_of(claim) or self._model
        failure: GeogazeError
        try:
            self._do(claim, on_left_behind)
        except StaleClaim as error:
            self._discard(claim)
            log.info("unit dropped", reason=str(error))
            return error.slug
        except GeogazeError as error:
            failure = error
        except DATABASE_AWAY as error:
            failure = DatabaseUnavailable(f"The database failed: {error}")
        except MemoryError as error:
            failure = HostOutOfMemory(f"Memory ran out: {error}")
        except Exception as error:
            log.exception("unit broke")
            failure = as_ours(error)
        except BaseException:
            # Told to stop: hand the unit back. What was written is left to the sweeper and must not
            # be removed here: the stop may have come right after the commit.
            with suppress(StaleClaim, *DATABASE_AWAY):  # the lease runs out by itself
                self._claims.release(claim, self._effort(claim))
            log.info("unit handed back")
            raise
        else:
            log.info("unit done")
            return DONE
        self._give_up(claim, failure)
        if failure.ends_process or isinstance(failure, self._ends_with):
            raise failure
        return failure.slug

    def following(self, claim: Claim) -> UUID | None:
        """A unit of the same job that brings it to its end, if one is due.

        So the short last phases of a job do not queue behind the chunks of others.
        """
        with suppress(*DATABASE_AWAY):  # the dispatcher will hand it out
            return self._queue.following(claim.job_id)
        return None

    def _do(self, claim: Claim, on_left_behind: LaneCallback) -> None:
        lane, lease = threading.current_thread(), self.resources.settings.lease_seconds
        with Heartbeat(self._claims, claim, lease, lambda: on_left_behind(lane)) as heart:
            asked = reported = -math.inf
            done = 0

            def pulse(items: int) -> None:
                nonlocal asked, reported, done
                if heart.lost.is_set():
                    raise StaleClaim(f"The lease of unit {claim.position} was lost.")
                if self._stopping.is_set():
                    raise Stopped
                # Now and then, so that a dismissed job does little more; asking after every one of
                # a light network's batches would take a tenth of its time.
                moment, done = time.monotonic(), done + items
                if items and moment - reported > _TELL_SECONDS:
                    self._ask(lambda: self._claims.tell(claim, done))
                    asked = reported = moment
                elif moment - asked > (_ASK_SECONDS if items else _IDLE_SECONDS):
                    self._ask(lambda: self._claims.check(claim))
                    asked = moment
                self._on_items(items)
                if items:
                    self._tell(lambda: self._watcher.on_items(claim, items))

            self._commit(claim, perform(self.resources, claim, pulse))

    def _commit(self, claim: Claim, outcome: Outcome) -> None:
        """Hand in what is done; while the database is away, for as long as the claim may hold."""
        until = time.monotonic() + self.resources.settings.lease_seconds
        doubt: Exception | None = None
        while True:
            try:
                self._claims.commit(
                    claim, outcome.result, items=outcome.items, effort=self._effort(claim)
                )
            except StaleClaim:
                if doubt:  # perhaps it was committed, and the answer got lost
                    raise doubt from None
                raise
            except DATABASE_AWAY as error:
                doubt = error
                log.warning("unit not committed", unit=claim.position, error=str(error))
                if time.monotonic() > until or self._stopping.wait(_COMMIT_AGAIN_SECONDS):
                    raise
            else:
                return

    def _ask(self, whether_it_holds: Callable[[], None]) -> None:
        with suppress(*DATABASE_AWAY):  # it may be back before the lease runs out
            whether_it_holds()

    def _give_up(self, claim: Claim, error: GeogazeError) -> None:
        try:
            again = self._claims.give_up(claim, error, self._effort(claim))
        except StaleClaim as stale:
            # Perhaps the database failed us just after it had committed: leave the part alone.
            log.info("unit dropped", reason=str(stale))
            return
        except DATABASE_AWAY as away:
            log.warning("unit left to its lease", error=str(error), database=str(away))
            return
        self._discard(claim)
        log.warning("unit failed", error=str(error), again=again)

    def _discard(self, claim: Claim) -> None:
        """Remove what an attempt wrote; while storage is out, it stays behind invisibly."""
        try:
            self.resources.storage.delete(claim.prefix)
        except StorageUnavailable as error:
            log.warning("part not removed", prefix=claim.prefix, error=str(error))
