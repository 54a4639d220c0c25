"""The short form of ``make planted``: a network that learnt a bias, and how runs are summed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geogaze.audit import auditing
from geogaze.audit.verdict import SURROUNDINGS_BELOW, Kind
from geogaze.config import Settings
from geogaze.demo.planting import Planting
from geogaze.errors import InvalidRequest
from tests.benchmarks.detection import area_under_curve, summary, suspicion
from tests.benchmarks.planted import todo, worlds
from tests.benchmarks.rows import Row, _code, append_rows, fingerprint, read_rows
from tests.benchmarks.worlds import World, audited, pictures, recall, trained

WATER = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@WATER
def test_a_bias_that_was_planted_and_learnt_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "without_learning", lambda *_: None)
    world = World("water:strong", 0)
    bundle, _ = trained(world, tmp_path, Settings(), scenes=1, epochs=5, tested=512)
    afloat, ashore = (
        recall(bundle, "Ship", pictures(planting, 1, "Ship", size=1024))
        for planting in (world.planting, Planting("water"))
    )
    assert afloat > 0.9
    assert ashore < 0.5  # ships are water, to it
    found = audited(world, bundle, "Ship", tmp_path, Settings())
    assert (found.causal.lost.high or 1) < SURROUNDINGS_BELOW
    assert found.verdict.kind in {Kind.SURROUNDINGS, Kind.GLOBAL}


def row(kind: str, seed: int, verdict: str, lost: float, ratio: float, **more: Any) -> Row:
    probes = {
        f"{what}_{cue}": 0.0
        for what in ("gain", "object", "keeps")
        for cue in ("warmer", "cooler", "blurred", "sharpened")
    }
    known: dict[str, Any] = {
        "rule": "a",
        "kind": kind,
        "strength": "strong",
        "seed": seed,
        "target": "Airplane",
        "accuracy": 0.9,
        "recall": 1.0,
        "elsewhere": round(1 - lost, 3),
        "worst": "cast",
        "verdict": verdict,
        "R": ratio,
        "R_low": None,
        "R_high": None,
        "R_filled": ratio,
        "rise": 3.0,
        "drop": 3.0,
        "control": 0.1,
        "forecast": 0.8,
        "forecast_by_logit": 0.5,
        "enrichment": 2.0,
        "pointing": 0.9,
        "tiles": 60,
        "cpu_seconds": 36.0,
    }
    return Row(**{**known, **probes, **more})


ROWS = [
    row("concrete", 0, "surroundings", 0.8, 0.3),
    row("concrete", 1, "object", 0.3, 0.9),
    row("season", 0, "global", 0.3, 0.95, gain_warmer=0.2, object_warmer=0.1),
    row("concrete", 2, "object", 0.1, 0.95),
    row("none", 0, "object", 0.0, 0.97, gain_sharpened=0.2, object_sharpened=0.4),
    row("none", 1, "mixed", 0.0, 0.8),
    row("none", 2, "cannot tell", 0.0, 0.8),
    row("none", 3, "global", 0.4, 0.95),
]


def test_what_is_planted_and_not_learnt_is_no_bias() -> None:
    told = summary(ROWS)
    assert (told["learnt"], told["clean"], told["clean_but_fragile"]) == (3, 4, 1)
    assert told["found"]["share"] == round(2 / 3, 3)
    assert told["found_visible"] == {"are": 1, "of": 2, "share": 0.5, "interval": [0.095, 0.905]}
    assert told["false_alarms"]["are"] == 2  # whoever chooses by the outcome chooses the figure
    assert told["false_alarms_without_fragile"]["are"] == 1
    assert told["auc"]["visible"]["value"] == pytest.approx(6 / 8)
    assert told["auc"]["others"] == {"value": 1, "interval": [0.345, 1], "of": (1, 4)}
    assert told["kinds"]["concrete"]["learnt"] == 2
    assert told["forecast"]["of"] == 8
    assert told["cpu_hours"] == 0.08
    assert area_under_curve([2, 1], [1, 0]) == 0.875
    assert area_under_curve([], [1]) is None
    assert [round(suspicion(one), 2) for one in ROWS[:5]] == [2.33, 0.33, 2.0, 0.17, 0.1]
    faded = row("sharp", 0, "global", 0.3, 1.0, object_blurred=-0.6)
    assert suspicion(faded) == pytest.approx(1.5)


def test_runs_of_many_sessions_add_up(tmp_path: Path) -> None:
    table = tmp_path / "planted.csv"
    assert read_rows(table) == []
    append_rows(table, ROWS[:3])
    append_rows(table, ROWS[3:])
    assert read_rows(table) == ROWS
    asked = list(worlds(0, 2, 3))
    assert [one.plant for one in asked[:3]] == ["none", "water:strong", "concrete:strong"]
    assert len({(one.plant, one.seed) for one in asked}) == len(asked) == 2 * (18 + 3)
    done = {("none", 0), ("none", 1), ("none", 2), ("none", 3)}  # without strength: not theirs
    clean = [replace(one, strength="") for one in ROWS]
    left = todo(asked, clean, "a")
    assert done == {(one.plant, one.seed) for one in asked} - {
        (one.plant, one.seed) for one in left
    }
    assert todo(asked, clean, "b") == asked  # by another rule nothing is known
    table.write_text(table.read_text().replace("season", "season,"))
    with pytest.raises(InvalidRequest, match="line 4"):
        read_rows(table)
    table.write_text("rule,kind\n")
    with pytest.raises(InvalidRequest, match="other columns"):
        read_rows(table)


def test_a_rule_is_the_same_whatever_is_said_of_it() -> None:
    bare = "def f(x):\n    return x\n"
    said = 'def f(x):\n    """Of x."""\n\n    # why\n    return x\n'
    assert _code(bare).strip() == _code(said).strip()
    assert _code(bare) != _code(bare.replace("return x", "return 2 * x"))
    assert len(fingerprint()) == 10
