"""What a product is made from. Nothing is read before it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.lattice import Box, slices
from geogaze.products.facts import Backdrop, JobFacts, LayerFacts
from geogaze.products.records import JobRecord
from geogaze.products.styles import Normalize
from geogaze.products.tiles import Standing, Tally, Tiles
from geogaze.scene.view import SceneView

OpenScene = Callable[[], AbstractContextManager[SceneView]]
Pulse = Callable[[int], None]
Drawn = Callable[[int], Iterable[bytes]]
"""Reads what a unit of the phase ``draw`` has left, by its number: the scene's bytes, and a layer's
where it is of one.
"""


@dataclass(frozen=True)
class Heat:
    """A layer on the lattice, read when it is asked for.

    Its values are float32, NaN where not looked at: 0..1, or raw signed evidence where
    ``normalize`` is ``none``. ``scale`` is the evidence that became 1 (None for ``tile``), ``peak``
    what is strong of raw evidence, of either sign and of all layers of the job: all but a
    thousandth of a layer's cells have less. ``boxes`` are the blocks of cells that it is kept in.
    ``evidence`` reads what was not scaled yet, and compares with that of other layers.
    """

    boxes: tuple[Box, ...]
    normalize: Normalize
    scale: float | None
    peak: float
    read: Callable[[Box], NDArray[np.float32]]
    evidence: Callable[[Box], NDArray[np.float32]]

    @classmethod
    def of(cls, values: NDArray[np.float32], normalize: Normalize, scale: float | None) -> Heat:
        """A layer in memory (rows, cols), of which nothing else is known."""
        peak = float(np.nanmax(np.abs(values), initial=0))
        whole = (0, 0, *values.shape)

        def read(box: Box) -> NDArray[np.float32]:
            return values[slices(box)]

        return cls((whole,), normalize, scale, peak, read, read)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return max(box[2] for box in self.boxes), max(box[3] for box in self.boxes)

    @property
    def values(self) -> NDArray[np.float32]:
        """All of it (rows, cols), for products that need it in memory."""
        return self.window((0, 0, *self.shape))

    def window(self, box: Box) -> NDArray[np.float32]:
        """A box of cells (h, w) of it."""
        return self.read(box)

    @cached_property
    def statistics(self) -> dict[str, float] | None:
        """Minimum, maximum, mean and standard deviation of looked-at cells; None if there are
        none. Block by block, each joined to those before (Chan, Golub and LeVeque 1979).
        """
        count, mean, squares, low, high = 0, 0.0, 0.0, math.inf, -math.inf
        for box in self.boxes:
            values = self.window(box)
            seen = values[np.isfinite(values)].astype(np.float64)
            if not seen.size:
                continue
            off = float(seen.mean()) - mean
            together = count + seen.size
            squares += float(seen.var()) * seen.size + off**2 * count * seen.size / together
            mean += off * seen.size / together
            count = together
            low, high = min(low, float(seen.min())), max(high, float(seen.max()))
        if not count:
            return None
        spread = math.sqrt(squares / count)
        return {"minimum": low, "maximum": high, "mean": mean, "stddev": spread}


@dataclass(frozen=True)
class LayerInputs:
    """For a product of one layer: its heat, and the scene behind it.

    ``drawn`` is what the phase ``draw`` has left; ``spread`` the standard deviation of heat under
    shifted grids of tiles, None where nobody asked for it;
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
    spread: Heat | None = None


@dataclass(frozen=True)
class JobInputs:
    """For a product of the whole job, once its layers are finished.

    ``tiles`` reads what the model says of tiles, ``tally`` is that of all together; ``heat_of``
    gives a layer by its position; ``drawn`` is what the phase ``draw`` has left of the scene alone;
    ``standing`` is by layer; ``record`` has what the job has made so far, earlier products of the
    same phase among it.
    """

    job: JobFacts
    tiles: Tiles
    tally: Tally
    standing: dict[str, Standing]
    heat_of: Callable[[int], Heat]
    drawn: Drawn
    record: JobRecord
    open_scene: OpenScene
    scratch: Path
    pulse: Pulse
