"""How lower precisions of a model's trunk agree with fp32, and where that is written down.

A bundle's ``item.json`` has it as measured in training. What a worker measures on the first tiles
of a job is kept in the cache folder: bundles may be an operator's, or lie where nobody writes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import structlog

from geogaze.models.bundles import Bundle

log = structlog.get_logger()

PROPERTY = "geogaze:agreement"
_FOLDER = "agreement"
_SAME_TOP = 0.99
_HEAT_OFF = 0.03

Figures = dict[str, float | int | None]


@dataclass(frozen=True)
class Agreement:
    """How a precision agrees with fp32.

    Attributes:
        same_top: share of the tiles that keep their best class.
        heat_off: by how much heat changes, of a class's scale, at the 99.9th percentile of cells;
            infinite where the precision cannot hold what the network computes.
        tiles: how many were compared.
    """

    same_top: float
    heat_off: float
    tiles: int

    @property
    def holds(self) -> bool:
        """Whether heat and predictions may be had in this precision unasked."""
        return self.same_top >= _SAME_TOP and self.heat_off <= _HEAT_OFF

    @property
    def figures(self) -> Figures:
        """For JSON, which knows no infinity: None there."""
        off = self.heat_off if isfinite(self.heat_off) else None
        return {"same_top": self.same_top, "heat_off": off, "tiles": self.tiles}

    def __str__(self) -> str:
        return (
            f"the best class stays on {self.same_top:.1%} of {self.tiles:,} tiles, heat changes by "
            f"{self.heat_off:.2g} of its scale at the 99.9th percentile of cells"
        )


def figures_of(agreed: Mapping[Any, Agreement]) -> dict[str, Figures]:
    """By precision, for JSON."""
    return {str(precision): found.figures for precision, found in agreed.items()}


def known_agreement(bundle: Bundle, cache: Path) -> dict[str, Agreement]:
    """By precision, how it agrees with fp32: as the bundle's item says, else as a job measured.

    Empty where nobody has measured. What cannot be read is logged, and measured again some day.
    """
    known = _read(_kept(bundle, cache), lambda written: written)
    if bundle.folder is not None:
        item = bundle.folder / "item.json"
        known |= _read(item, lambda written: written["properties"].get(PROPERTY, {}))
    return known


def _read(path: Path, figures_in: Callable[[Any], dict[str, Any]]) -> dict[str, Agreement]:
    if not path.is_file():
        return {}
    try:
        return {
            precision: Agreement(
                float(figures["same_top"]),
                inf if (off := figures["heat_off"]) is None else float(off),
                int(figures["tiles"]),
            )
            for precision, figures in figures_in(json.loads(path.read_text())).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("agreement of precisions not read", file=str(path), error=repr(error))
        return {}


def keep_agreement(bundle: Bundle, agreed: Mapping[Any, Agreement], cache: Path) -> None:
    """Write down what was measured on a job's tiles, whole or not at all."""
    path = _kept(bundle, cache)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            json.dump(figures_of(agreed), draft)
        Path(draft.name).replace(path)
    except OSError as error:  # a cache is no condition
        log.warning("agreement of precisions not kept", file=str(path), error=str(error))


def _kept(bundle: Bundle, cache: Path) -> Path:
    """Named after the weights, whatever the model is called."""
    return cache / _FOLDER / f"{bundle.weights.replace(':', '-')}.json"
