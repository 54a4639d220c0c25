"""The sign of life that work gives while it goes on."""

from __future__ import annotations

from collections.abc import Callable

from geogaze.ledger.records import JobStatus

Pulse = Callable[[int], None]
"""Called after every batch with the tiles it did; raises to stop the work."""

OnProgress = Callable[[JobStatus, int], None]
"""Gets the job's status and the tiles done since it was taken."""

OnPicture = Callable[[bytes], None]
"""Gets a PNG of all that was explained so far."""
