"""A picture of how training went and of what its probabilities are worth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from geogaze.networks.training.history import Epoch, best_of

CURVES_FILE = "curves.png"

_SIDE, _MARGIN, _SCALE = 300, 46, 2  # of a panel, in points; pixels to a point
_INK, _FAINT = (38, 38, 38), (205, 205, 205)
_LEARNED, _HELD_OUT = (0, 114, 178), (213, 94, 0)  # told apart by everyone (Okabe and Ito)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Panel:
    """A square with two axes, from ``low`` to ``high`` along each."""

    draw: ImageDraw.ImageDraw
    left: int
    low: tuple[float, float]
    high: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a value lies, in pixels."""
        across, up = (
            (value - low) / (high - low)
            for value, low, high in zip((x, y), self.low, self.high, strict=True)
        )
        column = self.left + _MARGIN + across * (_SIDE - 2 * _MARGIN)
        return column * _SCALE, (_SIDE - _MARGIN - up * (_SIDE - 2 * _MARGIN)) * _SCALE

    def frame(self, title: str, below: str, ticks: Sequence[float]) -> None:
        """Axes and what they are."""
        corners = (*self.at(self.low[0], self.high[1]), *self.at(self.high[0], self.low[1]))
        self.draw.rectangle(corners, outline=_FAINT, width=_SCALE)
        self.words((self.left + _SIDE / 2, 20), title, 14)
        self.words((self.left + _SIDE / 2, _SIDE - 12), below, 11)
        for x in ticks:
            self.words((self.at(x, 0)[0] / _SCALE, _SIDE - _MARGIN + 12), f"{x:g}", 10)
        for y in (self.low[1], self.high[1]):
            self.words((self.left + _MARGIN - 16, self.at(0, y)[1] / _SCALE), f"{y:.3g}", 10)

    def line(self, points: Points, colour: tuple[int, int, int]) -> None:
        """Values one after the other, each with a dot."""
        places = [self.at(*point) for point in points]
        if len(places) > 1:
            self.draw.line(places, fill=colour, width=2 * _SCALE)
        for x, y in places:
            self.draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour)

    def words(self, place: tuple[float, float], text: str, size: int, colour: Any = _INK) -> None:
        """Text about a place, in points."""
        font = ImageFont.load_default(size * _SCALE)
        x, y = (value * _SCALE for value in place)
        self.draw.text((x, y), text, fill=colour, font=font, anchor="mm")


def curves(history: Sequence[Epoch], calibrated: dict[str, Any]) -> bytes:
    """A PNG: losses by epoch, and accuracy by confidence on the test images.

    Args:
        history: all epochs.
        calibrated: of :meth:`geogaze.networks.training.answering.Answers.calibrated`.
    """
    image = Image.new("RGB", (2 * _SIDE * _SCALE, _SIDE * _SCALE), "white")
    draw = ImageDraw.Draw(image)
    _losses(draw, history)
    _confidence(draw, calibrated)
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _losses(draw: ImageDraw.ImageDraw, history: Sequence[Epoch]) -> None:
    learned = [(float(epoch.number), epoch.loss) for epoch in history]
    held = [(float(e.number), e.held_out_loss) for e in history if e.held_out_loss is not None]
    most = max((loss for _, loss in (*learned, *held)), default=1.0)
    last = max(2, len(history))
    panel = _Panel(draw, 0, (1.0, 0.0), (float(last), most or 1.0))
    panel.frame("loss", "epoch", sorted({1, (1 + last) // 2, last}))
    panel.line(learned, _LEARNED)
    panel.line(held, _HELD_OUT)
    panel.words((_SIDE - 84, _MARGIN + 12), "training", 11, _LEARNED)
    if held:
        panel.words((_SIDE - 84, _MARGIN + 28), "held out", 11, _HELD_OUT)
    if best := best_of([epoch for epoch in history if epoch.phase == "training"]):
        panel.words((_SIDE - 84, _MARGIN + 44), f"best: {best.number}", 11)


def _confidence(draw: ImageDraw.ImageDraw, calibrated: dict[str, Any]) -> None:
    panel = _Panel(draw, _SIDE, (0.0, 0.0), (1.0, 1.0))
    panel.frame("right answers", "by how sure they are", (0, 0.5, 1))
    draw.line((*panel.at(0, 0), *panel.at(1, 1)), fill=_FAINT, width=_SCALE)
    panel.line([(bar["confidence"], bar["accuracy"]) for bar in calibrated["curve"]], _LEARNED)
    panel.words((_SIDE + 130, _MARGIN + 12), f"calibration error {calibrated['ece']:.3f}", 11)
