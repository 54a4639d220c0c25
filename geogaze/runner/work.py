"""One worker's turn: claim a unit, do it under a heartbeat, commit it or hand it back."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError

from geogaze.config import Settings
from geogaze.errors import DatabaseUnavailable, GeogazeError, StaleClaim, StorageUnavailable
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import connect
from geogaze.ledger.records import Claim
from geogaze.ledger.store import Ledger
from geogaze.runner.phases import Bench, perform
from geogaze.storage import open_storage

log = structlog.get_logger()

TileCallback = Callable[[int], None]


class Stopped(BaseException):  # not an error of the unit's
    """The worker was told to stop."""


class Worker:
    """Does units, each on the thread that asks for it."""

    def __init__(
        self, bench: Bench, claims: Claims, *, on_tiles: TileCallback = lambda tiles: None
    ) -> None:
        self.bench = bench
        self._claims = claims
        self._on_tiles = on_tiles
        self._stopping = threading.Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    def from_settings(
        cls, settings: Settings, *, on_tiles: TileCallback = lambda tiles: None
    ) -> Worker:
        """A worker on the database and storage that the settings name."""
        engine = connect(settings.database_url)
        claims = Claims(
            engine,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
        )
        bench = Bench(settings, Ledger(engine), open_storage(settings))
        return cls(bench, claims, on_tiles=on_tiles)

    def stop(self) -> None:
        """Hand back the units in hand, each after its batch."""
        self._stopping.set()

    def run(self, unit_id: UUID) -> bool:
        """Do a unit if it is to be had. True if it was, whatever came of it."""
        claim = self._claims.claim(unit_id, self._name)
        if claim is None:
            return False
        told = log.bind(
            job=str(claim.job_id),
            phase=claim.phase.value,
            unit=claim.position,
            attempt=claim.attempt,
        )
        told.debug("unit taken")
        try:
            self._do(claim)
            told.info("unit done")
        except StaleClaim as error:
            self._discard(claim)
            told.info("unit dropped", reason=str(error))
        except GeogazeError as error:
            self._give_up(claim, error, told)
        except OperationalError as error:
            self._give_up(claim, DatabaseUnavailable(f"The database failed: {error}"), told)
        except Exception as error:
            told.exception("unit broke")
            wrapped = GeogazeError(f"{type(error).__name__}: {error}")
            self._give_up(claim, wrapped, told)
        except BaseException:
            # Told to stop: hand the unit back. What was written is written over by whoever takes it
            # next, and must not be removed here: the stop may have come right after the commit.
            with suppress(StaleClaim, OperationalError):  # the lease runs out by itself
                self._claims.release(claim)
            told.info("unit handed back")
            raise
        return True

    def _do(self, claim: Claim) -> None:
        with self._heartbeat(claim) as lost:

            def pulse(tiles: int) -> None:
                if lost.is_set():
                    raise StaleClaim(f"The lease of unit {claim.position} was lost.")
                if self._stopping.is_set():
                    raise Stopped
                self._on_tiles(tiles)

            outcome = perform(self.bench, claim, pulse)
        self._claims.commit(claim, outcome.result, tiles=outcome.tiles)

    def _give_up(
        self, claim: Claim, error: GeogazeError, told: structlog.stdlib.BoundLogger
    ) -> None:
        try:
            again = self._claims.give_up(claim, error)
        except StaleClaim as stale:
            # Perhaps the database failed us just after it had committed: leave the part alone.
            told.info("unit dropped", reason=str(stale))
            return
        self._discard(claim)
        told.warning("unit failed", error=str(error), again=again)

    def _discard(self, claim: Claim) -> None:
        """Remove what an attempt wrote; while storage is out, it stays behind invisibly."""
        try:
            self.bench.storage.delete(claim.prefix)
        except StorageUnavailable as error:
            log.warning("part not removed", prefix=claim.prefix, error=str(error))

    @contextmanager
    def _heartbeat(self, claim: Claim) -> Iterator[threading.Event]:
        """Renew the lease at a third of its length; the event is set once it is lost."""
        lost, done = threading.Event(), threading.Event()

        def beat() -> None:
            while not done.wait(self.bench.settings.lease_seconds / 3):
                try:
                    self._claims.renew(claim)
                except StaleClaim:
                    lost.set()
                    return
                except Exception:
                    # The database may be back before the lease runs out; commit decides.
                    log.exception("heartbeat missed", unit=claim.position)

        thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield lost
        finally:
            done.set()
            thread.join()
