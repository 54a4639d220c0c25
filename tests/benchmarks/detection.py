"""How often audits of networks with planted biases were right, from their lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geogaze.audit.verdict import Kind

SPOILT = 0.2
"""Recall that a network loses elsewhere at least, to have learnt the bias; fixed beforehand."""

_OF_GROUND = ("water", "concrete")
_ALARMS = {Kind.SURROUNDINGS, Kind.GLOBAL, Kind.MIXED}
_TOLD = {*_ALARMS, Kind.OBJECT}

Line = dict[str, Any]


def area_under_curve(spoilt: Sequence[float], sound: Sequence[float]) -> float | None:
    """The chance that a spoilt network scores above a sound one, ties by half; None without any."""
    if not spoilt or not sound:
        return None
    one, other = np.array(spoilt)[:, None], np.array(sound)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def by_ground(line: Line) -> float:
    """How suspicious an audit is of surroundings."""
    return -line["R"] if line["R"] is not None else 0.0


def by_probes(line: Line) -> float:
    """How suspicious it is of how the whole picture looks."""
    return max(line["probes"].values(), default=0.0)


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """ROC AUC, shares found, false alarms, forecasts, and what it cost."""
    spoilt = [line for line in lines if line["plant"] != "none" and line["lost"] >= SPOILT]
    clean = [line for line in lines if line["plant"] == "none"]
    fragile = [line for line in clean if line["lost"] >= SPOILT]  # for another cause
    unlearnt = [line for line in lines if line["plant"] != "none" and line["lost"] < SPOILT]
    kinds = sorted({_kind(line) for line in lines} - {"none"})
    forecasts = [line["forecast"] for line in lines if line["forecast"] is not None]
    by_logit = [line["forecast_by_logit"] for line in lines if line["forecast"] is not None]
    return {
        "audits": len(lines),
        "networks": len({(line["plant"], line["seed"]) for line in lines}),
        "spoilt": len(spoilt),
        "planted_not_learnt": len(unlearnt),
        "clean": len(clean),
        "clean_but_fragile": len(fragile),
        "kinds": {kind: _of_kind(kind, lines, spoilt, clean) for kind in kinds},
        "auc": {
            "R, cues of ground": _auc(by_ground, spoilt, clean, ground=True),
            "probes, cues of the picture": _auc(by_probes, spoilt, clean, ground=False),
        },
        "found": _share(spoilt, _ALARMS),
        "found_but_mixed": _share(spoilt, _ALARMS - {Kind.MIXED}),
        "false_alarms": _share(clean, _ALARMS),
        "false_alarms_but_mixed": _share(clean, _ALARMS - {Kind.MIXED}),
        "false_alarms_without_fragile": _share(
            [line for line in clean if line["lost"] < SPOILT], _ALARMS
        ),
        "false_alarms_planted_not_learnt": _share(unlearnt, _ALARMS),
        "verdicts": {
            name: {kind.value: sum(one["verdict"] == kind for one in group) for kind in Kind}
            for name, group in (("spoilt", spoilt), ("clean", clean))
        },
        "forecast": _quartiles(forecasts),
        "forecast_by_logit": _quartiles(by_logit),
        "enrichment_auc": area_under_curve(
            *([-(line["enrichment"] or 0) for line in group] for group in (spoilt, clean))
        ),
        "cpu_hours": round(sum(line["cpu_seconds"] for line in lines) / 3600, 3),
    }


def _kind(line: Line) -> str:
    return str(line["plant"]).partition(":")[0]


def _of_kind(
    kind: str, lines: Sequence[Line], spoilt: Sequence[Line], clean: Sequence[Line]
) -> dict[str, Any]:
    own = [line for line in lines if _kind(line) == kind]
    learnt = [line for line in spoilt if _kind(line) == kind]
    score = by_ground if kind in _OF_GROUND else by_probes
    alike = [line for line in clean if not own or line["class"] == own[0]["class"]]
    return {
        "networks": len(own),
        "learnt": len(learnt),
        "found": _share(learnt, _ALARMS),
        "auc": area_under_curve(*([score(one) for one in group] for group in (learnt, alike))),
    }


def _auc(
    score: Any, spoilt: Sequence[Line], clean: Sequence[Line], *, ground: bool
) -> float | None:
    of = [line for line in spoilt if (_kind(line) in _OF_GROUND) == ground]
    return area_under_curve([score(one) for one in of], [score(one) for one in clean])


def _share(lines: Sequence[Line], verdicts: set[Kind]) -> dict[str, Any]:
    """Of those that were told at all, how many have such a verdict."""
    told = [kind for line in lines if (kind := Kind(line["verdict"])) in _TOLD]
    hit = sum(kind in verdicts for kind in told)
    return {"of": len(told), "are": hit, "share": hit / len(told) if told else None}


def _quartiles(values: Sequence[float]) -> list[float] | None:
    return [round(float(one), 3) for one in np.percentile(values, (25, 50, 75))] if values else None
