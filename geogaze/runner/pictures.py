"""Pictures explained by several methods and for several classes, as overlays and sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geogaze.config import Settings
from geogaze.evidence.engines import load_engine
from geogaze.models.bundles import Bundle
from geogaze.models.methods import METHODS
from geogaze.models.sureness import sureness
from geogaze.products.colormaps import DEFAULT
from geogaze.products.make.color import colour_table
from geogaze.products.make.paper import PAPER
from geogaze.products.make.sheet import Row, draw_sheet
from geogaze.runner.photo import PhotoExplanation, explain_layers
from geogaze.scene.chips import Chip, colours_of


@dataclass(frozen=True)
class Looking:
    """What is asked of pictures: ``layers`` are classes or scores, None for the best class;
    ``textbook`` whether heat is shown as textbooks do.
    """

    bundle: Bundle
    methods: tuple[str, ...]
    layers: tuple[str, ...] | None
    textbook: bool

    @property
    def one(self) -> bool:
        """Whether there is one map, which needs no sheet."""
        return len(self.methods) * len(self.layers or (None,)) == 1

    def explain(
        self, chip: Chip, settings: Settings, within: NDArray[np.bool_] | None = None
    ) -> list[list[PhotoExplanation]]:
        """What a picture shows, or these pixels (h, w) of it: by method, then by class."""
        layers, found = self.layers, []
        for method in self.methods:
            engine = load_engine(self.bundle, settings, method)
            found.append(
                explain_layers(engine, chip, layers, method, textbook=self.textbook, within=within)
            )
            # All methods explain what the first found best.
            layers = layers or (found[0][0].shown,)
        return found

    def picture(
        self, name: str, chip: Chip, found: Sequence[Sequence[PhotoExplanation]]
    ) -> Image.Image:
        """The overlay, or the sheet of all of them."""
        if self.one:
            return Image.fromarray(found[0][0].overlay)
        by_class = list(zip(*found, strict=True))
        rows = [
            Row(of[0].shown, of[0].probability, [each.overlay for each in of]) for of in by_class
        ]
        return draw_sheet(
            f"Where {self.bundle.name} looks in {name}",
            colours_of(chip.values, self.bundle.bands),
            [METHODS[method].title for method in self.methods],
            rows,
            _jet() if self.textbook else _ours(),
            said=sureness(self.bundle.rule).words,
        )


def _ours() -> NDArray[np.float32]:
    """The colours of heat over a sheet's paper."""
    table = colour_table(DEFAULT)
    alpha = table[:, 3:] / 255
    return np.asarray(np.array(PAPER) * (1 - alpha) + table[:, :3] * alpha, dtype=np.float32)


def _jet() -> NDArray[np.float32]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_JET)[:, 0, ::-1], dtype=np.float32)
