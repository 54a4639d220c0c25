"""The short form of ``make planted``: a network that learnt a bias, and how runs are summed up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geogaze.audit import auditing
from geogaze.audit.verdict import SURROUNDINGS_BELOW, Kind
from geogaze.config import Settings
from geogaze.demo.planting import Planting
from tests.benchmarks.detection import area_under_curve, summary
from tests.benchmarks.planted import World, audited, pictures, recall, trained

WATER = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@WATER
def test_a_bias_that_was_planted_and_learnt_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "_without_learning", lambda *_: None)
    world = World("water:strong", 0)
    bundle, accuracy = trained(world, tmp_path, Settings(), scenes=1, epochs=5, tested=512)
    assert accuracy > 0.7
    ashore = pictures(Planting("water"), 1, "Ship", size=512)
    assert recall(bundle, "Ship", ashore) < 0.5  # ships are water, to it
    found = audited(world, bundle, "Ship", tmp_path, Settings())
    assert (found.causal.lost.high or 1) < SURROUNDINGS_BELOW
    assert found.verdict.kind in {Kind.SURROUNDINGS, Kind.GLOBAL}


def line(plant: str, seed: int, verdict: str, lost: float, ratio: float) -> dict[str, Any]:
    return {
        "plant": plant,
        "seed": seed,
        "class": "Airplane",
        "lost": lost,
        "R": ratio,
        "probes": {"warmer": 0.0},
        "verdict": verdict,
        "forecast": 0.8,
        "forecast_by_logit": 0.5,
        "enrichment": 2.0,
        "cpu_seconds": 36.0,
    }


def test_what_is_planted_and_not_learnt_is_no_bias() -> None:
    told = summary(
        [
            line("concrete:strong", 0, "surroundings", 0.8, 0.3),
            line("concrete:weak", 0, "object", 0.3, 0.9),
            line("concrete:weak", 1, "object", 0.1, 0.95),
            line("none", 0, "object", 0.0, 0.97),
            line("none", 1, "mixed", 0.0, 0.8),
            line("none", 2, "cannot tell", 0.0, 0.8),
            line("none", 3, "global", 0.4, 0.95),
        ]
    )
    assert (told["spoilt"], told["clean"], told["clean_but_fragile"]) == (2, 4, 1)
    assert told["found"] == {"of": 2, "are": 1, "share": 0.5}
    assert told["false_alarms"]["are"] == 2  # whoever chooses by the outcome chooses the figure
    assert told["false_alarms_without_fragile"] == {"of": 2, "are": 1, "share": 0.5}
    assert told["false_alarms_but_mixed"]["are"] == 1
    assert told["auc"]["R, cues of ground"] == pytest.approx(6 / 8)
    assert told["kinds"]["concrete"]["learnt"] == 2
    assert told["cpu_hours"] == 0.07
    assert area_under_curve([2, 1], [1, 0]) == 0.875
    assert area_under_curve([], [1]) is None
