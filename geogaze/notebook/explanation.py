"""What comes of explaining an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geogaze.errors import UnknownClass
from geogaze.files import file_stem
from geogaze.notebook.labelled import data_array
from geogaze.products.colormaps import DEFAULT, Colormap
from geogaze.products.make.color import lay_over
from geogaze.products.make.specks import softened_alone

if TYPE_CHECKING:
    from xarray import DataArray

Placement = Literal["measured", "stretched"]


@dataclass(frozen=True, repr=False)
class Explanation:
    """Where a network looks in one image, for K classes.

    Attributes:
        classes: K names, as ``evidence`` has them along its first axis.
        evidence: (K, rows, cols) float32, signed: what each cell speaks for its class, in logits
            for class activation maps. Classes compare. On a network that pools globally and ends
            in one linear layer, its mean is the class's logit less its bias.
        probabilities: (K,) float32 0..1 of the classes; NaN where the model gives none.
        ranking: all classes of the model and their probabilities, best first.
        transform: from corners of cells (col, row) to corners of the image's pixels (x, y).
        placement: ``measured`` where the network was asked what each cell looks at; ``stretched``
            where it cannot be told, and cells are laid evenly over the image, as textbooks do.
        route: how the gradient was had, see :mod:`geogaze.evidence.routes`.
        nowhere: (K,) float32: what tokens that lie on no place, such as the class token and
            registers, give to each score, in logits; None where the network has none.
        image: (h, w, 3) uint8 RGB, as :meth:`overlay` shows it.
    """

    classes: tuple[str, ...]
    evidence: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    ranking: list[tuple[str, float]]
    transform: Affine
    placement: Placement
    route: str
    nowhere: NDArray[np.float32] | None
    image: NDArray[np.uint8]

    def __repr__(self) -> str:
        rows, cols = self.evidence.shape[1:]
        few = ", ".join(self.classes[:3]) + (", …" if len(self.classes) > 3 else "")
        return (
            f"<Explanation of {len(self.classes)} classes ({few}): {rows} × {cols} cells, "
            f"{self.placement}, by {self.route}>"
        )

    @property
    def heat(self) -> NDArray[np.float32]:
        """(K, rows, cols) float32, 0..1: evidence for each class over the most that it has.

        All 0 for a class that nothing speaks for. Classes do not compare; their evidence does.
        """
        positive = np.maximum(self.evidence, 0)
        peak = positive.max(axis=(1, 2), keepdims=True)
        peak[peak == 0] = 1
        heat: NDArray[np.float32] = positive / peak
        return heat

    def position(self, name: str) -> int:
        """Where a class is among the maps.

        Raises:
            UnknownClass: it was not explained.
        """
        if name not in self.classes:
            raise UnknownClass(f"{name!r} was not explained: {', '.join(self.classes[:20])}.")
        return self.classes.index(name)

    def overlay(
        self, name: str | None = None, *, colormap: Colormap = DEFAULT
    ) -> NDArray[np.uint8]:
        """A class's heat in colour over the image: (h, w, 3) uint8 RGB.

        Heat of single pixels is drawn as the mean of their neighbourhoods, which can be seen.

        Args:
            name: the class; by default the first of ``classes``.
            colormap: the colours of heat.

        Raises:
            UnknownClass: it was not explained.
        """
        layer = self.position(name) if name is not None else 0
        per_pixel = self.route == "pixels"
        heat = softened_alone(self.evidence[layer]) if per_pixel else self.heat[layer]
        height, width = self.image.shape[:2]
        to_cell = ~self.transform
        cols = to_cell.a * (np.arange(width) + 0.5) + to_cell.c - 0.5
        rows = to_cell.e * (np.arange(height) + 0.5) + to_cell.f - 0.5
        across, down = np.meshgrid(cols.astype(np.float32), rows.astype(np.float32))
        spread = cv2.remap(heat, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return lay_over(self.image, np.asarray(spread, dtype=np.float32), colormap)

    def to_xarray(self) -> DataArray:
        """The evidence as a DataArray (class, y, x), in pixels of the image.

        Coordinates are the centres of cells, counted from the image's upper left corner, so that
        the centre of its first pixel is 0.5.

        Raises:
            ModuleNotFoundError: xarray is not installed.
        """
        attributes = {"units": "logits", "placement": self.placement, "route": self.route}
        return data_array(self.evidence, self.classes, self.transform, "evidence", attributes)

    def save(self, folder: str | Path) -> Path:
        """Write ``explanation.npz`` (the arrays) and ``overlay-<class>.png`` into a folder."""
        from PIL import Image

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            target / "explanation.npz",
            classes=np.array(self.classes),
            evidence=self.evidence,
            heat=self.heat,
            probabilities=self.probabilities,
            transform=np.array(tuple(self.transform)[:6]),
        )
        for name in self.classes:
            Image.fromarray(self.overlay(name)).save(target / f"overlay-{file_stem(name)}.png")
        return target
