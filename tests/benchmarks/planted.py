"""Does the audit find biases that were planted, and cry wolf at networks that have none?

Small networks are trained by the project's own training on drawn chips, in which something goes
with a class (``geogaze demo --plant``), and audited on another scene of their own world: what their
maker has. What is planted is not always learnt, so the truth is the recall that a network loses
where the class comes without its cue. The verdict's thresholds are those of the package, found on
seeds under 100; those from 100 on are fresh.

Rows go into ``--table`` as they come, and what is there by the same rule is not done again: a run
may be interrupted, and goes on in another session. Each seed has all kinds and strengths.

Run: ``python -m tests.benchmarks.planted --seeds 10 --limit 20``, or ``make planted``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import torch

from geogaze.audit.auditing import Audit
from geogaze.config import Settings
from geogaze.demo.planting import CUES
from geogaze.logs import configure_logging
from tests.benchmarks.detection import summary
from tests.benchmarks.rows import TABLE, Row, append_rows, fingerprint, read_rows
from tests.benchmarks.worlds import World, against, at_home, audited, recall, trained

FRESH = 100
"""The first seed that no threshold was found by."""


def worlds(first: int, seeds: int, clean: int) -> Iterator[World]:
    """All worlds, seed by seed: strong biases first, clean ones among them."""
    for seed in range(first, first + seeds):
        for number, strength in enumerate(("strong", "medium", "weak")):
            for one in range(number, clean, 3):
                yield World("none", first + (seed - first) * clean + one)
            for kind in CUES:
                yield World(f"{kind}:{strength}", seed)


def rows_of(world: World, rule: str, settings: Settings) -> list[Row]:
    """Train a network in a world and say what its audits found, a row for each class."""
    began = time.process_time()
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bundle, accuracy = trained(world, folder, settings)
        for name in world.targets:
            own = recall(bundle, name, at_home(folder / "chips" / "test" / name))
            elsewhere = {
                kind: recall(bundle, name, against(world, kind, name))
                for kind in world.elsewhere(name)
            }
            worst = min(elsewhere, key=lambda kind: elsewhere[kind])
            found = audited(world, bundle, name, folder, settings)
            now = time.process_time()
            rows.append(
                _row(
                    world, rule, name, accuracy, own, (worst, elsewhere[worst]), found, now - began
                )
            )
            began = now
    return rows


def _row(
    world: World,
    rule: str,
    name: str,
    accuracy: float,
    own: float,
    elsewhere: tuple[str, float],
    found: Audit,
    seconds: float,
) -> Row:
    causal, grounds = found.causal, found.causal.grounds
    probes = {
        **{f"gain_{cue}": gain for cue, gain in grounds.probes.items()},
        **{f"object_{cue}": gain for cue, gain in grounds.on_objects.items()},
        **{f"keeps_{cue}": figure.value for cue, figure in causal.keeps.items()},
    }
    return Row(
        rule=rule,
        kind=world.kind,
        strength=world.plant.partition(":")[2],
        seed=world.seed,
        target=name,
        accuracy=accuracy,
        recall=own,
        elsewhere=elsewhere[1],
        worst=elsewhere[0],
        verdict=found.verdict.kind.value,
        R=causal.lost.value,
        R_low=causal.lost.low,
        R_high=causal.lost.high,
        R_filled=causal.lost_filled.value,
        rise=grounds.rise,
        drop=grounds.drop,
        control=grounds.control,
        forecast=causal.forecast.value,
        forecast_by_logit=causal.rivals["logit"].value,
        enrichment=found.placed.enrichment.value,
        pointing=found.placed.pointing.value,
        tiles=grounds.tiles,
        cpu_seconds=seconds,
        **probes,  # type: ignore[arg-type]  # named by probe
    )


def todo(asked: Sequence[World], rows: Sequence[Row], rule: str) -> list[World]:
    """Those that no row of this rule is of."""
    done = {row.network for row in rows if row.rule == rule}
    return [one for one in asked if (one.kind, one.plant.partition(":")[2], one.seed) not in done]


def main() -> None:
    """Train, audit, and say how often the audit was right."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10, help="of each kind and strength")
    parser.add_argument("--first", type=int, default=FRESH, help="the first of them")
    parser.add_argument("--clean", type=int, default=3, help="clean networks for each seed")
    parser.add_argument("--limit", type=int, help="networks of this run at most; 0 only sums up")
    parser.add_argument("--table", type=Path, default=TABLE, help="CSV that rows are added to")
    parser.add_argument("--rule", help="sum up rows of this rule; as it is now if left out")
    asked = parser.parse_args()
    configure_logging("error", "console")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rule, settings = fingerprint(), Settings()
    every = list(worlds(asked.first, asked.seeds, asked.clean))
    waiting = todo(every, read_rows(asked.table), rule)
    for world in waiting[: asked.limit]:
        append_rows(asked.table, rows_of(world, rule, settings))
    summed = asked.rule or rule
    rows = [row for row in read_rows(asked.table) if row.rule == summed]
    told = {"rule": summed, "networks_asked": len(every), **summary(rows)}
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in told.items())
    print("{", ",\n".join(lines), "}", sep="\n")


if __name__ == "__main__":
    main()
