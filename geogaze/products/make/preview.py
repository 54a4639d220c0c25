"""The contact sheet: the scene, and the strongest classes' overlays, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geogaze.models.sureness import sureness
from geogaze.products.facts import JobFacts
from geogaze.products.make.color import colour_table, lay_over, stretch
from geogaze.products.make.inputs import Heat, JobInputs
from geogaze.products.make.overlay import rgb_image, shown_heat
from geogaze.products.make.paper import FAINT, INK, PAPER, Font, fit, font
from geogaze.products.make.specks import softened
from geogaze.products.styles import heat_style, scale_note
from geogaze.products.tiles import Standing, strongest
from geogaze.scene.view import SceneView
from geogaze.wording import length

_JPEG = "contact-sheet.jpg"  # in the scratch folder, for what shows the sheet too
_STRONGEST = 5  # layers that are shown
_PANEL = 640
_CELLS = 2048  # most cells along a side of a layer that is drawn cell by cell
_SLOT = 300  # least width for a panel: room for its caption
_SHEET = 760  # least width of the sheet: room for what stands above and below
_MARGIN = 28
_GAP = 18
_CAPTION = 60
_LINE = 20
_HEADER = 84  # with one line of facts
_FOOTER = 64
_WARNING = (232, 176, 92)  # also of a class that is best nowhere


class _Words(NamedTuple):
    """What goes before a number of tiles: of a class, and of those that ``top`` is made of."""

    each: str
    most: str


_WORDS = {
    "softmax": _Words("best class of", "best class of"),
    "sigmoid": _Words("in", "most probable in"),
    "shares": _Words("in", "most pixels of"),
    "none": _Words("", "highest score in"),
}


class Shown(NamedTuple):
    """A layer to show, and what the model says of it."""

    name: str
    heat: Heat
    standing: Standing

    @property
    def caption(self) -> str:
        """Of how many tiles it is the best class, or in how many, and how probable or large it
        gets.
        """
        won, highest, classes = self.standing.won, self.standing.highest, self.standing.classes
        words = _WORDS[self.standing.rule]
        if highest is None and self.heat.statistics is None:
            return "no tile was looked at"
        if classes:
            return f"{words.most} tiles: " + ", ".join(
                f"{name} {count:,}" for name, count in classes.items()
            )
        facts = [] if highest is None else [f"{sureness(self.standing.rule).highest} {highest:.2f}"]
        if won is not None:
            tiles = f"{won:,} tile{'s' * (won != 1)}" if won else "no tile"
            facts.insert(0, f"{words.each} {tiles}")
        return ", ".join(facts)


class _Panel(NamedTuple):
    name: str
    picture: Image.Image
    caption: str = ""
    nowhere: bool = False


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``preview``."""
    job = inputs.job
    layers = [
        Shown(job.layers[i], inputs.heat_of(i), inputs.standing[job.layers[i]])
        for i in strongest(job, inputs.tally, _STRONGEST)
    ]
    with inputs.open_scene() as reader:
        sheet = write_preview(job, reader, layers, target)
    sheet.save(inputs.scratch / _JPEG, quality=84)


def sheet_of(inputs: JobInputs) -> bytes:
    """The contact sheet as a JPEG, once the product is made: a fifth of its size."""
    return (inputs.scratch / _JPEG).read_bytes()


def write_preview(
    job: JobFacts, reader: SceneView, layers: list[Shown], target: Path
) -> Image.Image:
    """Draw the contact sheet, and give it back.

    Args:
        job: its facts.
        reader: the open scene.
        layers: the layers to show, strongest first.
        target: the PNG to write.
    """
    image, valid, shrink = _thumbnail(job, reader)
    panels = [_Panel("scene", _on_paper(image, valid))]
    for layer in layers:
        left, top, side = job.grid.within(job.backdrop.box)
        heat, step = _small(layer.heat)
        cell = (left / shrink, top / shrink, side * step / shrink)
        heat = shown_heat(heat, job.normalize, layer.heat.peak)
        if job.method.per_pixel:
            heat = softened(heat)
        shown = stretch(np.nan_to_num(heat), cell, valid.shape)
        picture = _on_paper(lay_over(image, shown, job.colormap), valid)
        panels.append(_Panel(layer.name, picture, layer.caption, layer.standing.won == 0))
    peak = max((layer.heat.peak for layer in layers), default=0.0)
    sheet = _sheet(job, panels, peak)
    sheet.save(target, compress_level=1)  # a fifth larger than at 6, in a quarter of the time
    return sheet


def _small(heat: Heat) -> tuple[NDArray[np.float32], int]:
    """Means of ``step`` × ``step`` cells, NaN where none was looked at, and that step: 1 but for
    layers that are much larger than a panel.
    """
    step = 1
    while max(heat.shape) > _CELLS * step:
        step *= 2
    if step == 1:
        return heat.values, step
    small = np.full([-(-length // step) for length in heat.shape], np.nan, dtype=np.float32)
    for box in heat.boxes:  # their corners are multiples of the step
        values = heat.window(box)
        odd = [(0, -length % step) for length in values.shape]
        values = np.pad(values, odd, constant_values=np.nan)
        rows, cols = (length // step for length in values.shape)
        cells = values.reshape(rows, step, cols, step)
        seen = np.isfinite(cells)
        total, count = np.where(seen, cells, 0).sum(axis=(1, 3)), seen.sum(axis=(1, 3))
        top, left = box[0] // step, box[1] // step
        here = small[top : top + rows, left : left + cols]
        np.divide(total, count, out=here, where=count > 0)
    return small, step


def _thumbnail(
    job: JobFacts, reader: SceneView
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], float]:
    """The explained part of the scene (h, w, 3), what is valid (h, w), and how much smaller."""
    top, left, bottom, right = job.backdrop.box
    shrink = max(bottom - top, right - left) / _PANEL
    shape = (max(1, round((bottom - top) / shrink)), max(1, round((right - left) / shrink)))
    pixels = reader.read_small((top, left, bottom, right), shape)
    shown = pixels.shown(job.backdrop.rescale, job.backdrop.mean)
    return rgb_image(shown), pixels.valid, shrink


def _on_paper(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Image.Image:
    shown = np.where(valid[..., None], image, np.array(PAPER, dtype=np.uint8) + 14)
    height, width = shown.shape[:2]
    # Small scenes are enlarged so that the sheet has one size of panel.
    factor = _PANEL / max(height, width)
    if factor > 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        shown = cv2.resize(shown.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(shown.astype(np.uint8))


def _sheet(job: JobFacts, panels: list[_Panel], peak: float) -> Image.Image:
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    width = max(panels[0].picture.width, _SLOT)
    height = panels[0].picture.height + _CAPTION
    across = max(2 * _MARGIN + columns * width + (columns - 1) * _GAP, _SHEET)
    at = "" if job.method.per_pixel else f" at {job.model.module}"
    facts = (
        job.source.uri.rsplit("/", 1)[-1],
        f"{job.tiles:,} tiles",
        f"one heat cell is {length(job.grid.cell_metres)}",
        f"{job.method.title}{at}",
    )
    room = across - 2 * _MARGIN
    lines = _wrap(facts, font(15), room)
    careful = [
        line for warning in job.warnings for line in _wrap(warning.split(), font(14), room, " ")
    ]
    header = _HEADER + (len(lines) + len(careful) - 1) * _LINE
    down = header + rows * height + (rows - 1) * _GAP + _FOOTER
    sheet = Image.new("RGB", (across, down), PAPER)
    draw = ImageDraw.Draw(sheet)
    title = fit(f"Where {job.model.name} looks", font(28), room)
    draw.text((_MARGIN, 20), title, INK, font=font(28))
    for i, line in enumerate(lines):
        draw.text((_MARGIN, 54 + i * _LINE), line, FAINT, font=font(15))
    for i, line in enumerate(careful, start=len(lines)):
        draw.text((_MARGIN, 54 + i * _LINE), line, _WARNING, font=font(14))
    for i, panel in enumerate(panels):
        x = _MARGIN + (i % columns) * (width + _GAP)
        y = header + (i // columns) * (height + _GAP)
        sheet.paste(panel.picture, (x, y))
        below = y + panel.picture.height
        name = fit(panel.name, font(20), width)
        draw.text((x, below + 8), name, FAINT if panel.nowhere else INK, font=font(20))
        caption = fit(panel.caption, font(14), width)
        draw.text((x, below + 35), caption, _WARNING if panel.nowhere else FAINT, font=font(14))
    _legend(draw, sheet, job, peak)
    return sheet


def _wrap(facts: Sequence[str], by: Font, width: int, between: str = "   ·   ") -> list[str]:
    """Facts (or words) in as few lines as fit."""
    lines = [fit(facts[0], by, width)]
    for fact in facts[1:]:
        longer = f"{lines[-1]}{between}{fact}"
        if by.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fit(fact, by, width))
    return lines


def _legend(draw: ImageDraw.ImageDraw, sheet: Image.Image, job: JobFacts, peak: float) -> None:
    long, height = 240, 12
    style = heat_style(job.colormap, job.normalize, peak)
    top = sheet.height - _FOOTER + 20
    ramp = colour_table(job.colormap)[np.linspace(0, 254, long).round().astype(int)]
    alpha = ramp[:, 3:] / 255
    bar = np.array(PAPER) * (1 - alpha) + ramp[:, :3] * alpha
    strip = np.repeat(bar[None].astype(np.uint8), height, axis=0)
    sheet.paste(Image.fromarray(strip), (_MARGIN, top))
    draw.rectangle((_MARGIN, top, _MARGIN + long - 1, top + height - 1), outline=FAINT)
    left = _MARGIN + long + 14
    note = fit(scale_note(style, job.normalize), font(15), sheet.width - left - _MARGIN)
    draw.text((left, top - 3), note, FAINT, font=font(15))
