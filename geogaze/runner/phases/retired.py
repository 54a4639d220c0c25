"""Phases of older releases, whose jobs may be half done: they end with one sentence."""

from __future__ import annotations

from geogaze.errors import GeogazeError

RETIRED = frozenset({"calibrate", "render"})


class JobOutdated(GeogazeError):
    """A job was accepted by an older release, whose way of finishing it is gone."""

    status = 409
    slug = "job-outdated"
    title = "The job was accepted by an older release"

    def __init__(self) -> None:
        super().__init__(
            "This job was accepted by an older release of geogaze, which finished jobs in other "
            "phases; submit it again: its explained tiles are used again."
        )
