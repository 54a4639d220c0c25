"""Does training on other airports make a network that looks at the airplane?

The shipped model's trunk, its last quarter trained on chips of scenes 1 to 16 of 22; tile accuracy
and audits on the other six, before and after. What is there already is not done again.

Run: ``python -m tests.benchmarks.airports FOLDER --out airports``, with ``airport-01.tif`` and its
polygons, ``airport-01.geojson``, to ``airport-22.tif`` in FOLDER; some six minutes of CPU time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_TRAINED, _ALL = 16, 22
_AS_SHIPPED = ("--init", "aerial-scenes", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5")
_INPUT = (
    "--input-size",
    "160",
    "--gsd",
    "0.7",
)  # a quarter of the pixels at 0.34 m: CPUs are scarce
_COURSE = ("--trunk", "last", "--learning-rate", "5e-4", "--warm-up", "0", "--epochs", "1")


def geogaze(*words: object) -> None:
    """Run a command."""
    program = Path(sys.executable).with_name("geogaze")
    subprocess.run([program, *map(str, words)], check=True)


def audited(folder: Path) -> dict[str, Any]:
    """What an audit found of airplanes, in short."""
    found = json.loads((folder / "audit.json").read_text())["classes"]["airplane"]
    causal = found["causal"]
    return {
        "verdict": found["verdict"],
        "tiles": found["tiles"],
        "enrichment": [found["enrichment"], found["enrichment_interval"]],
        "pointing": [found["pointing"], found["pointing_interval"]],
        "ratio": [causal["ratio"], causal["ratio_interval"]],
        "ratio_filled": causal["ratio_filled"],
        "rise": causal["rise"],
        "drop": causal["drop"],
        "control": causal["control"],
        "stays": causal["stays"],
        "forecast": found["forecast"],
        "sheets": {name: sheet["tiles"] for name, sheet in found["sheets"].items() if sheet},
    }


def main() -> None:
    """Train, audit, and say what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--out", type=Path, default=Path("airports"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    scenes = [asked.scenes / f"airport-{number:02}.tif" for number in range(1, _ALL + 1)]
    training, testing = scenes[:_TRAINED], scenes[_TRAINED:]
    bundle, before, after = (asked.out / name for name in ("airplanes", "before", "after"))
    asked.out.mkdir(parents=True, exist_ok=True)
    if not (bundle / "item.json").is_file():
        tested = [word for scene in testing for word in ("--test", scene)]
        told = ("--label", "airplane", "--seed", asked.seed, "--out", bundle)
        geogaze("train", *training, *tested, *told, *_AS_SHIPPED, *_INPUT, *_COURSE)
    for model, folder in (("aerial-scenes", before), (bundle, after)):
        if not (folder / "audit.json").is_file():
            geogaze("audit", *testing, "--class", "airplane", "--model", model, "--out", folder)
    evaluation = json.loads((bundle / "evaluation.json").read_text())
    shown = ("accuracy", "images", "recall", "confusion")
    print(
        json.dumps(
            {
                **{name: evaluation[name] for name in shown},
                **{name: evaluation["calibration"][name] for name in ("temperature", "ece")},
                "before": audited(before),
                "after": audited(after),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
