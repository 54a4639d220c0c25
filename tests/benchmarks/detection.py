"""How often audits of networks with planted biases were right, from their rows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from geogaze.audit.verdict import FADES_ABOVE, PROBE_ABOVE, SURROUNDINGS_BELOW, Kind
from geogaze.demo.planting import CUES
from tests.benchmarks.rows import Row

SPOILT = 0.2
"""Recall that a network loses elsewhere at least, to have learnt the bias; fixed beforehand."""

VISIBLE = ("water", "concrete", "sharp", "cast")
"""Cues that an edit or a probe of the audit imitates; ``season`` and ``jpeg`` none does."""

_ALARMS = {Kind.SURROUNDINGS, Kind.GLOBAL, Kind.MIXED}
_DRAWS = 1000

Rows = Sequence[Row]


def area_under_curve(spoilt: Sequence[float], sound: Sequence[float]) -> float | None:
    """The chance that a spoilt network scores above a sound one, ties by half; None without any."""
    if not spoilt or not sound:
        return None
    one, other = np.array(spoilt)[:, None], np.array(sound)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def suspicion(row: Row) -> float:
    """How suspicious an audit is: 1 and more where one of its thresholds is passed.

    One score for all kinds, as whoever audits does not know which was planted.
    """
    missing = (1 - row.R) / (1 - SURROUNDINGS_BELOW) if row.R is not None else 0.0
    gained = [gain / PROBE_ABOVE for gain, on_object in row.gains.values() if gain >= on_object]
    faded = [-on_object / FADES_ABOVE for _, on_object in row.gains.values()]
    return max(missing, *gained, *faded)


def summary(rows: Rows) -> dict[str, Any]:
    """ROC AUC, shares found, false alarms and forecasts with 95 % intervals, and what it cost."""
    planted = [row for row in rows if row.kind != "none"]
    spoilt = [row for row in planted if row.lost >= SPOILT]
    clean = [row for row in rows if row.kind == "none"]
    fragile = [row for row in clean if row.lost >= SPOILT]  # for another cause
    sound = [row for row in clean if row.lost < SPOILT]
    unlearnt = [row for row in planted if row.lost < SPOILT]
    seen = [row for row in spoilt if row.kind in VISIBLE]
    unseen = [row for row in spoilt if row.kind not in VISIBLE]
    return {
        "networks": len({row.network for row in rows}),
        "audits": len(rows),
        "planted": len(planted),
        "learnt": len(spoilt),
        "clean": len(clean),
        "clean_but_fragile": len(fragile),
        "auc": {"visible": _auc(seen, clean), "others": _auc(unseen, clean)},
        "found": _share(spoilt),
        "found_visible": _share(seen),
        "false_alarms": _share(clean),
        "false_alarms_without_fragile": _share(sound),
        "alarms_where_nothing_was_learnt": _share(unlearnt),
        "verdicts": {
            name: dict(Counter(row.verdict for row in group))
            for name, group in (("learnt", spoilt), ("not learnt", unlearnt), ("clean", clean))
        },
        "kinds": {kind: _of_kind(kind, planted, clean) for kind in CUES},
        "forecast": _mean([row.forecast for row in rows]),
        "forecast_by_logit": _mean([row.forecast_by_logit for row in rows]),
        "cpu_seconds_a_network": round(
            sum(row.cpu_seconds for row in rows) / max(1, len({row.network for row in rows})), 1
        ),
        "cpu_hours": round(sum(row.cpu_seconds for row in rows) / 3600, 2),
    }


def _of_kind(kind: str, planted: Rows, clean: Rows) -> dict[str, Any]:
    own = [row for row in planted if row.kind == kind]
    learnt = [row for row in own if row.lost >= SPOILT]
    alike = [row for row in clean if row.target == CUES[kind].target]
    return {
        "networks": len(own),
        "learnt": len(learnt),
        "found": _share(learnt),
        "auc": _auc(learnt, alike),
    }


def _auc(spoilt: Rows, clean: Rows) -> dict[str, Any]:
    """With Newcombe's interval (2006, method 5), which few networks do not make narrow."""
    value = area_under_curve(*([suspicion(row) for row in group] for group in (spoilt, clean)))
    counts = len(spoilt), len(clean)
    if value is None:
        return {"value": None, "interval": None, "of": counts}
    ends = [_end(value, counts, beyond) for beyond in (0.0, 1.0)]
    return {"value": round(value, 3), "interval": [round(end, 3) for end in ends], "of": counts}


def _end(value: float, counts: tuple[int, int], beyond: float) -> float:
    """The area nearest to 0 or 1 from which the one found is not 1.96 standard errors away."""
    inside, outside = value, beyond
    for _ in range(50):
        area = (inside + outside) / 2
        pairs = (sum(counts) / 2 - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        error = np.sqrt(area * (1 - area) * (1 + pairs) / np.prod(counts))
        near = abs(value - area) <= 1.96 * error
        inside, outside = (area, outside) if near else (inside, area)
    return float(inside)


def _share(rows: Rows) -> dict[str, Any]:
    """Of those whose class could be judged at all, how many were alarms (Wilson's interval)."""
    told = [row for row in rows if row.verdict != Kind.CANNOT_TELL]
    hit, of = sum(Kind(row.verdict) in _ALARMS for row in told), len(told)
    if not of:
        return {"are": 0, "of": 0, "share": None, "interval": None}
    z, share = 1.96, hit / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    ends = [round(float(middle - half), 3), round(float(middle + half), 3)]
    return {"are": hit, "of": of, "share": round(share, 3), "interval": ends}


def _mean(values: Sequence[float | None]) -> dict[str, Any]:
    """Of rank correlations, with its interval over networks, and their quartiles."""
    known = np.array([value for value in values if value is not None])
    if len(known) < 2:
        return {"mean": None, "interval": None, "quartiles": None, "of": len(known)}
    rng = np.random.default_rng(0)
    means = rng.choice(known, (_DRAWS, len(known))).mean(axis=1)
    return {
        "mean": round(float(known.mean()), 3),
        "interval": [round(float(end), 3) for end in np.percentile(means, (2.5, 97.5))],
        "quartiles": [round(float(one), 3) for one in np.percentile(known, (25, 50, 75))],
        "of": len(known),
    }
