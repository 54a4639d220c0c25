"""An audit as a document of plain numbers, for programs. Pure."""

from __future__ import annotations

import math
from typing import Any

from geogaze.audit.accounts import Causal, Sheet
from geogaze.audit.auditing import Audit
from geogaze.audit.intervals import Figure
from geogaze.audit.placing import Placed
from geogaze.version import VERSION

Document = dict[str, Any]


def document(audit: Audit) -> Document:
    """What was found, as JSON has it; figures have ``value``, ``low``, ``high``, or None."""
    return {
        "geogaze": VERSION,
        "model": audit.model,
        "class": audit.name,
        "gsd": audit.gsd,
        "scenes": list(audit.sites),
        "tiles": audit.tiles,
        "tiles_with_objects": audit.showing,
        "verdict": {
            "kind": audit.verdict.kind.value,
            "words": audit.verdict.words,
            "why": audit.verdict.why,
        },
        "balance": {
            "bias": audit.bias.value,
            "closes": audit.bias.closes,
            "closure": audit.bias.closure,
            "closure_of_all_classes": max(audit.closures.values()),
            **{sort: _sheet(sheet) for sort, sheet in audit.sheets.items()},
        },
        "distance": audit.distances,
        **_placed(audit.placed),
        "causal": _causal(audit.causal),
    }


def _sheet(sheet: Sheet) -> Document:
    return {
        "tiles": sheet.tiles,
        "logit": sheet.logit,
        "evidence": sheet.kinds,
        "area": sheet.areas,
        "above_ground": sheet.above,
    }


def _placed(placed: Placed) -> Document:
    return {
        "enrichment": {
            **_figure(placed.enrichment),
            "baselines": _figures(placed.enrichment_of),
            "by_chance": placed.by_chance,
            "scenes_with_random_weights": placed.random_scenes,
        },
        "energy_inside": {**_figure(placed.energy), "area": _figure(placed.area)},
        "pointing": {**_figure(placed.pointing), "baselines": _figures(placed.pointing_of)},
        "tiles_half_covered": placed.large,
    }


def _causal(causal: Causal) -> Document:
    return {
        "tiles": causal.tiles,
        "rise": _figure(causal.rise),
        "drop": _figure(causal.drop),
        "control": _figure(causal.control),
        "lost": _figure(causal.lost),
        "lost_filled": _figure(causal.lost_filled),
        "alone": _figure(causal.alone),
        "stays": _figure(causal.stays),
        "forecast": {**_figure(causal.forecast), "rivals": _figures(causal.rivals)},
        "probes": causal.grounds.probes,
    }


def _figures(figures: dict[str, Figure]) -> Document:
    return {name: _figure(figure) for name, figure in figures.items()}


def _figure(figure: Figure) -> Document:
    return {name: _number(getattr(figure, name)) for name in ("value", "low", "high")}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
