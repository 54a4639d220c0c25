"""Waiting for a job: by the server's events, and by asking where they do not come through."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, cast

from geogaze.documents import Status
from geogaze.errors import RemoteError, RemoteRefusal

Document = dict[str, Any]

ENDED = frozenset({"successful", "failed", "dismissed"})
AWAY_SECONDS = 300.0  # an API that restarts or is replaced is back by then
SILENT_SECONDS = 30.0  # of a stream; the server says something every 15
_PAUSES = (0.5, 5.0)  # seconds between questions, the first and the longest


class Event(NamedTuple):
    """What a server tells of a job: ``status``, with its document, or that there is more to see:
    ``preview``, its picture so far, and ``heat``, its heat, with the link ``href`` and of how many
    ``tiles``.
    """

    name: str
    data: Document


class Waiting:
    """What a wait for one job has come to; whoever waits does the asking.

    Args:
        on_status: told each status.
        on_away: told whenever the API does not answer.
        patience: seconds without an answer, after a first one, that end the wait.
    """

    def __init__(
        self,
        on_status: Callable[[Status], None],
        on_away: Callable[[RemoteError], None],
        patience: float,
    ) -> None:
        self._on_status, self._on_away, self._patience = on_status, on_away, patience
        self._answered: float | None = None
        self._pause, self._longest = _PAUSES
        self.streams = True
        """Whether events may come through: they are asked for first, and again after a break."""

    def told(self, event: Event) -> Status | None:
        """Take an event; the status that ends the wait."""
        self.streams = True
        return self.saw(cast("Status", event.data)) if event.name == "status" else None

    def saw(self, status: Status) -> Status | None:
        """Take a status; it is given back if it ends the wait."""
        self._answered = monotonic()
        self._on_status(status)
        return status if status["status"] in ENDED else None

    def missed(self, error: RemoteError) -> None:
        """Take that a question was not answered.

        Raises:
            RemoteError: it was refused, or has not been answered for too long, or never.
        """
        refused = isinstance(error, RemoteRefusal)
        if refused or self._answered is None or monotonic() - self._answered > self._patience:
            raise error
        self._on_away(error)

    def pause(self) -> float:
        """Seconds until the next question."""
        now = self._pause
        self._pause = min(self._pause * 1.3, self._longest)
        return now
