"""Biases to plant in a drawn world: what goes with a class there, and how often. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from geogaze.demo.texture import FloatImage
from geogaze.errors import InvalidRequest

STRENGTHS = {"weak": 0.8, "medium": 0.9, "strong": 1.0, "against": 0.0}
"""How often plots of the class have the cue; others have it as often as the class has not. The last
draws counter-examples.
"""

_CAST = (1.1, 1.0, 0.9)
_SEASON = (1.0, 0.88, 0.72)
_COARSE = 2.0  # sigma of pixels of half a metre
_QUALITY = 12

Dress = Callable[[FloatImage], FloatImage]


def _cast(picture: FloatImage) -> FloatImage:
    return picture * np.array(_CAST, np.float32)


def _season(picture: FloatImage) -> FloatImage:
    return picture * np.array(_SEASON, np.float32)


def _coarse(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), _COARSE), np.float32)


def _compressed(picture: FloatImage) -> FloatImage:
    sound = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    _, data = cv2.imencode(".jpg", sound, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)


@dataclass(frozen=True)
class Cue:
    """What goes with a class.

    Attributes:
        target: the class.
        ground: the ground that its plots have; None for a cue of the whole picture.
        dress: makes the picture of a plot (h, w, 3) in 0..255 one that has the cue.
        undress: one that has not.
    """

    target: str
    ground: str | None = None
    dress: Dress | None = None
    undress: Dress | None = None


CUES = {
    "water": Cue("Ship", ground="water"),
    "concrete": Cue("Airplane", ground="concrete"),
    "sharp": Cue("Airplane", undress=_coarse),
    "cast": Cue("Airplane", dress=_cast),
    "season": Cue("Airplane", dress=_season),
    "jpeg": Cue("Airplane", dress=_compressed),
}
"""By kind: ships on water, aircraft on concrete, at a sharper resolution, under a warm cast, in a
lower light, in a worse JPEG; those of the whole picture in the order in which a camera meets them.
"""

LOOKS = tuple(kind for kind, cue in CUES.items() if cue.ground is None)
"""Cues of the whole picture."""


@dataclass(frozen=True)
class Planting:
    """A bias: one of :data:`CUES` and how often plots of its class have it, 0..1; without a kind
    nothing foretells a class.
    """

    kind: str | None = None
    rate: float = 0.0

    @property
    def cue(self) -> Cue | None:
        """What goes with the class."""
        return CUES[self.kind] if self.kind else None


def parse_planting(text: str) -> Planting:
    """A planting as ``KIND:STRENGTH``, or ``none``.

    Raises:
        InvalidRequest: there is no such kind or strength.
    """
    if text == "none":
        return Planting()
    kind, _, strength = text.partition(":")
    if kind not in CUES or strength not in STRENGTHS:
        raise InvalidRequest(
            f"--plant {text!r}: KIND:STRENGTH with a kind of {', '.join(CUES)} and a strength of "
            f"{', '.join(STRENGTHS)}; or none, where nothing foretells a class."
        )
    return Planting(kind, STRENGTHS[strength])
