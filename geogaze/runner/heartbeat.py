"""Keeping a claim while its unit is at work, and noticing when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Self

import structlog

from geogaze.errors import StaleClaim
from geogaze.ledger.claims import Claims
from geogaze.ledger.database import DATABASE_AWAY
from geogaze.ledger.records import Claim

log = structlog.get_logger()

_LOOK_SECONDS = 5.0
_GRACE_SECONDS = 5.0  # a batch ends sooner


class Heartbeat:
    """Renews a lease at a third of its length, and looks every few seconds whether it still holds.

    ``lost`` is set once it does not: the job was dismissed, or another has the unit. Work notices
    that at its next pulse. Work without a pulse, stuck in a read that no thread can interrupt, is
    left behind after a while, and ``on_left_behind`` is called.
    """

    def __init__(
        self,
        claims: Claims,
        claim: Claim,
        lease_seconds: float,
        on_left_behind: Callable[[], None],
    ) -> None:
        self.lost = threading.Event()
        self._claims = claims
        self._claim = claim
        self._renew_seconds = lease_seconds / 3
        self._on_left_behind = on_left_behind
        self._done = threading.Event()
        said = copy_context()  # so that its lines in the log name the unit as the others do
        self._thread = threading.Thread(
            target=said.run, args=(self._beat,), daemon=True, name="heartbeat"
        )

    def _beat(self) -> None:
        due = time.monotonic() + self._renew_seconds
        while not self._done.wait(min(self._renew_seconds, _LOOK_SECONDS)):
            try:
                if time.monotonic() >= due:
                    self._claims.renew(self._claim)
                    due = time.monotonic() + self._renew_seconds
                else:
                    self._claims.check(self._claim)
            except StaleClaim:
                self.lost.set()
                break
            except DATABASE_AWAY as error:
                # It may be back before the lease runs out; commit decides.
                log.warning("heartbeat missed", unit=self._claim.position, error=str(error))
            except Exception:
                log.exception("heartbeat missed", unit=self._claim.position)
        if self.lost.is_set() and not self._done.wait(_GRACE_SECONDS):
            log.warning("unit left behind", job=str(self._claim.job_id), unit=self._claim.position)
            self._on_left_behind()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
