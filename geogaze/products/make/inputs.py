"""What a product is made from. Nothing is read before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.products.facts import Backdrop, JobFacts, LayerFacts
from geogaze.products.records import JobRecord
from geogaze.products.styles import Normalize
from geogaze.products.tiles import Standing, TileTable
from geogaze.scene.view import SceneView

OpenScene = Callable[[], AbstractContextManager[SceneView]]
Pulse = Callable[[int], None]
Drawn = Callable[[int], Iterable[bytes]]
"""Reads what a unit of the phase ``draw`` has left, by its number: the scene's bytes, a layer's."""


@dataclass(frozen=True)
class Heat:
    """A layer on the lattice.

    ``values`` (rows, cols) float32, NaN where not looked at: 0..1, or raw signed evidence where
    ``normalize`` is ``none``. ``scale`` is the evidence that became 1 (None for ``tile``).
    """

    values: NDArray[np.float32]
    normalize: Normalize
    scale: float | None

    @property
    def statistics(self) -> dict[str, float] | None:
        """Minimum, maximum, mean and standard deviation of looked-at cells; None if there are
        none.
        """
        seen = self.values[np.isfinite(self.values)].astype(np.float64)
        if not seen.size:
            return None
        return {
            "minimum": float(seen.min()),
            "maximum": float(seen.max()),
            "mean": float(seen.mean()),
            "stddev": float(seen.std()),
        }


@dataclass(frozen=True)
class LayerInputs:
    """For a product of one layer: its heat, and the scene behind it.

    ``drawn`` is what the phase ``draw`` has left, for products of the phase ``assemble``;
    ``scratch`` is a folder for drafts; ``pulse(0)`` is to be called now and then and raises where
    the work is to stop.
    """

    layer: LayerFacts
    heat: Heat
    backdrop: Backdrop
    open_scene: OpenScene
    drawn: Drawn
    scratch: Path
    pulse: Pulse


@dataclass(frozen=True)
class JobInputs:
    """For a product of the whole job, once its layers are finished.

    ``heat_of`` reads a layer (rows, cols) by its position; ``standing`` is by layer; ``record``
    has what the job has made so far, earlier products of the same phase among it.
    """

    job: JobFacts
    table: TileTable
    standing: dict[str, Standing]
    heat_of: Callable[[int], NDArray[np.float32]]
    record: JobRecord
    open_scene: OpenScene
    scratch: Path
    pulse: Pulse
