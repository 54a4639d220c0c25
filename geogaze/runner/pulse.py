"""The sign of life that work gives while it goes on."""

from __future__ import annotations

from collections.abc import Callable

Pulse = Callable[[int], None]
"""Called after every batch with the tiles it did; raises to stop the work."""
