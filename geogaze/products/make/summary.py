"""A job's layers in numbers, one line each: for a spreadsheet, and for the report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geogaze.models.sureness import Sureness, sureness
from geogaze.products.make.hotspots import job_hotspots
from geogaze.products.make.inputs import JobInputs


def columns(said: Sureness) -> tuple[str, ...]:
    """Names of the figures of a :class:`Line`, in order."""
    hotspots = ("hotspots", "hotspots_m2", "largest_m2")
    return ("layer", "tiles", f"highest_{said.name}", *hotspots, "peak", "mean", "threshold")


@dataclass(frozen=True)
class Line:
    """A layer in numbers; None where it has none of a kind.

    Attributes:
        layer: its name.
        tiles: of how many it is the best class, or in how many it is.
        probability: its highest, or the largest share of pixels.
        hotspots: how many.
        area: of all of them together, m².
        largest: the largest one's, m².
        peak: the highest heat in one, as it is in the layer's file.
        mean: of the layer's looked-at cells.
        threshold: from which heat on its cells are hot.
    """

    layer: str
    tiles: int | None
    probability: float | None
    hotspots: int
    area: float
    largest: float | None
    peak: float | None
    mean: float | None
    threshold: float | None


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``summary``; figures that there are none of are empty."""
    with target.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns(sureness(inputs.job.model.rule)))
        for line in lines_of(inputs):
            rows.writerow(_figure(value) for value in vars(line).values())


def _figure(value: str | float | None) -> str:
    """A figure to six digits, an area to a tenth of a square metre."""
    if isinstance(value, float):
        return f"{value:.1f}" if value >= 1e5 else f"{value:.6g}"
    return "" if value is None else str(value)


def lines_of(inputs: JobInputs) -> Iterator[Line]:
    """The job's layers in numbers, in their order."""
    count = len(inputs.job.layers)
    number, area = np.zeros(count, dtype=np.int64), np.zeros(count)
    largest, peak, level = (np.full(count, np.nan) for _ in range(3))
    for some in job_hotspots(inputs):
        number += np.bincount(some.layer, minlength=count)
        np.add.at(area, some.layer, some.area)
        np.fmax.at(largest, some.layer, some.area)
        np.fmax.at(peak, some.layer, some.peak)
        level[some.layer] = some.threshold
    for i, name in enumerate(inputs.job.layers):
        standing = inputs.standing[name]
        statistics = inputs.record.calibration.get(name, {}).get("statistics") or {}
        yield Line(
            layer=name,
            tiles=standing.won,
            probability=standing.highest,
            hotspots=int(number[i]),
            area=float(area[i]),
            largest=_known(largest[i]),
            peak=_known(peak[i]),
            mean=statistics.get("mean"),
            threshold=_known(level[i]),
        )


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
