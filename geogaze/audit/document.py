"""An audit as a document of plain numbers, for programs; docs/audit.md says what its names are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from geogaze.audit.accounts import Causal, Sheet
from geogaze.audit.auditing import Audit
from geogaze.audit.intervals import Figure
from geogaze.audit.placing import Placed
from geogaze.processes.audit.kinds import OBJECTS
from geogaze.version import VERSION

Document = dict[str, Any]


def document(audit: Audit) -> Document:
    """What was found, as JSON has it: figures by name, each with its 95 % interval by that name and
    ``_interval``; None for what has no value.
    """
    return {
        "geogaze": VERSION,
        "model": audit.model,
        "gsd": audit.gsd,
        "scenes": list(audit.sites),
        "classes": {audit.name: _class(audit)},
    }


def _class(audit: Audit) -> Document:
    right = audit.sheets.get("right")
    return {
        "verdict": audit.verdict.kind.value,
        "words": audit.verdict.words,
        "why": audit.verdict.why,
        "tiles": audit.tiles,
        "tiles_with_objects": audit.showing,
        **_placed(audit.placed),
        "context": _context(right) if right else {},
        "distance": audit.distances,
        "balance": _balance(right, audit.bias.value) if right else None,
        "bias": audit.bias.value,
        "closes": audit.bias.closes,
        "closure": audit.bias.closure,
        "closure_of_all_classes": max(audit.closures.values()),
        "sheets": {sort: _sheet(sheet) for sort, sheet in audit.sheets.items()},
        "causal": _causal(audit.causal),
        **_figure("forecast", audit.causal.forecast),
        **_figures("forecast_rivals", audit.causal.rivals),
    }


def _balance(sheet: Sheet, bias: float) -> Document:
    """A sheet's own sum: what no kind of ground and no bias says of the logit is ``residual``."""
    residual = sheet.logit - bias - sum(sheet.kinds.values())
    return {**sheet.kinds, "bias": bias, "logit": sheet.logit, "residual": residual}


def _context(sheet: Sheet) -> Document:
    """Which kind of ground holds the evidence above ground that objects do not, as shares of it."""
    beside = {kind: max(0.0, value) for kind, value in sheet.above.items() if kind != OBJECTS}
    whole = sum(beside.values())
    return {kind: value / whole for kind, value in beside.items()} if whole > 0 else {}


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
        **_figure("energy_share", placed.energy),
        **_figure("area_share", placed.area),
        **_figure("enrichment", placed.enrichment),
        **_figures("baselines", placed.enrichment_of),
        "enrichment_by_chance": placed.by_chance,
        "scenes_with_random_weights": placed.random_scenes,
        **_figure("pointing", placed.pointing),
        **_figures("pointing_baselines", placed.pointing_of),
        "tiles_half_covered": placed.large,
    }


def _causal(causal: Causal) -> Document:
    return {
        "tiles": causal.tiles,
        **_figure("rise", causal.rise),
        **_figure("drop", causal.drop),
        **_figure("control", causal.control),
        **_figure("ratio", causal.lost),
        **_figure("ratio_filled", causal.lost_filled),
        **_figure("alone", causal.alone),
        **_figure("stays", causal.stays),
        **_figures("relies", causal.relies),
        **_figures("keeps", causal.keeps),
        "probes": causal.grounds.probes,
        "probes_on_objects": causal.grounds.on_objects,
    }


def _figure(name: str, figure: Figure) -> Document:
    return {name: _number(figure.value), f"{name}_interval": _interval(figure)}


def _figures(name: str, figures: Mapping[str, Figure]) -> Document:
    return {
        name: {one: _number(figure.value) for one, figure in figures.items()},
        f"{name}_intervals": {one: _interval(figure) for one, figure in figures.items()},
    }


def _interval(figure: Figure) -> list[float | None] | None:
    ends = _number(figure.low), _number(figure.high)
    return None if None in ends else [*ends]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
