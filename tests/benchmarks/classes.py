"""Cost against the number of classes, ours and peers', as JSON lines and a plot.

python -m tests.benchmarks.classes OUT.svg [ARCH]
"""

from __future__ import annotations

import json
import sys
from typing import Any

from geogaze.bench.engine import bench_engine

_COUNTS = (1, 2, 5, 10, 20, 50, 100)
_PEERS_UP_TO = 20
_LINE = 13  # points between labels that would lie on each other
_COLOURS = {
    "geogaze": "#d1495b",
    "pytorch-grad-cam": "#30638e",
    "captum": "#5f8f3e",
    "torchcam": "#8d6a9f",
}


def measure(architecture: str) -> list[dict[str, Any]]:
    """Results of ``bench_engine`` for a growing number of classes; peers up to a point."""
    results = []
    for count in _COUNTS:
        found = bench_engine(
            architecture,
            classes=count,
            batch=8,
            device="cpu",
            dtype="fp32",
            runs=7,
            peers=count <= _PEERS_UP_TO,
        )
        print(json.dumps(found), flush=True)
        results.append(found)
    return results


def plot(results: list[dict[str, Any]], target: str) -> None:
    """Seconds over seconds of plain inference, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "geogaze"  # the same file again from the same figures
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    lines = {"geogaze": [(r["classes"], r["ratio"]) for r in results]}
    for result in results:
        for name, peer in result["peers"].items():
            point = (result["classes"], peer["seconds"] / result["forward_s"])
            lines.setdefault(name, []).append(point)
    lowest: tuple[float, float] | None = None  # the label below: its cost, and how far it was moved
    for name, points in sorted(lines.items(), key=lambda line: line[1][-1][1]):
        counts, costs = zip(*points, strict=True)
        near = lowest is not None and costs[-1] < 1.5 * lowest[0]
        shift = lowest[1] + _LINE if lowest and near else 0.0
        lowest = (costs[-1], shift)
        axes.plot(counts, costs, marker="o", color=_COLOURS[name], linewidth=2)
        axes.annotate(
            name,
            (counts[-1], costs[-1]),
            xytext=(8, shift),
            textcoords="offset points",
            va="center",
            color=_COLOURS[name],
            fontweight="bold" if name == "geogaze" else "normal",
        )
    axes.set(xscale="log", yscale="log", xlim=(0.9, max(_COUNTS) * 3))
    axes.set_xticks(_COUNTS, [str(count) for count in _COUNTS])
    axes.set_yticks([1, 10, 100], ["1 ×", "10 ×", "100 ×"])
    axes.minorticks_off()
    axes.set_xlabel("classes explained")
    axes.set_ylabel("time over plain inference")
    axes.set_title(
        f"{results[0]['arch']}, batch of {results[0]['batch']}, {results[0]['device']}", loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    figure.savefig(target, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measure and draw."""
    plot(measure(sys.argv[2] if len(sys.argv) > 2 else "resnet50"), sys.argv[1])


if __name__ == "__main__":
    main()
