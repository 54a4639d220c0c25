"""A picture of the dashboard that is shipped, drawn from what a Prometheus has: Grafana's panels
by matplotlib, so that somebody has looked at them before an operator does.
"""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from infra.watching import WATCH

mpl.use("Agg")
_COLUMNS = 24
_STEPS = 240
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")

Series = dict[str, tuple[list[float], list[float]]]


def dashboard() -> dict[str, Any]:
    """The dashboard that is shipped."""
    found: dict[str, Any] = json.loads((WATCH / "dashboard.json").read_text(encoding="utf-8"))
    return found


def series(url: str, target: dict[str, str], since: float, until: float, window: str) -> Series:
    """Times (s before the end) and values of a panel's target, by its legend."""
    asked = {
        "query": target["expr"].replace("$__rate_interval", window),
        "start": since,
        "end": until,
        "step": max(1.0, (until - since) / _STEPS),
    }
    answer = httpx.get(f"{url}/api/v1/query_range", params=asked, timeout=60, trust_env=False)
    document = answer.json()
    if document["status"] != "success":
        raise AssertionError(f"{target['expr']}: {document['error']}")
    found: Series = {}
    for one in document["data"]["result"]:
        name = _named(target["legendFormat"], one["metric"])
        points = [(float(at) - until, float(value)) for at, value in one["values"]]
        found[name] = ([at for at, _ in points], [value for _, value in points])
    return found


def _named(legend: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), legend)


def draw(url: str, since: float, picture: Path, window: str = "1m") -> list[str]:
    """Draw all panels as they were since a time; the titles of those that are empty."""
    panels, until = dashboard()["panels"], time.time()
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)
    figure = plt.figure(figsize=(18, bottom * 0.55))
    empty = []
    for panel in panels:
        place = panel["gridPos"]
        box = (
            (place["x"] + 1.0) / _COLUMNS,
            1 - (place["y"] + place["h"] - 0.9) / bottom,
            (place["w"] - 1.5) / _COLUMNS,
            (place["h"] - 1.9) / bottom,
        )
        axes = figure.add_axes(box)
        told: Series = {}
        for target in panel["targets"]:
            told |= series(url, target, since, until, window)
        if not any(not math.isnan(value) for _, values in told.values() for value in values):
            empty.append(panel["title"])
        axes.set_title(panel["title"], fontsize=9, loc="left")
        (_number if panel["type"] == "stat" else _lines)(axes, panel, told)
    figure.savefig(picture, dpi=70)
    plt.close(figure)
    return empty


def _number(axes: Axes, panel: dict[str, Any], told: Series) -> None:
    last = next((values[-1] for _, values in told.values()), math.nan)
    unit = " s" if panel["fieldConfig"]["defaults"]["unit"] == "s" else ""
    axes.text(
        0.5,
        0.5,
        f"{last:g}{unit}" if unit == "" else f"{last:.0f}{unit}",
        fontsize=22,
        ha="center",
        va="center",
    )
    axes.set_axis_off()


def _lines(axes: Axes, panel: dict[str, Any], told: Series) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    scale = 2.0**30 if panel["fieldConfig"]["defaults"]["unit"] == "bytes" else 1.0
    if custom["stacking"]["mode"] == "normal" and told:
        times = sorted({at for when, _ in told.values() for at in when})
        rows = [_at(times, *points) for points in told.values()]
        axes.stackplot(times, rows, labels=list(told), alpha=0.7)
    else:
        for name, (times, values) in told.items():
            axes.plot(times, [value / scale for value in values], label=name, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    if scale > 1:
        axes.set_ylabel("GiB", fontsize=7)
    if told:
        axes.legend(fontsize=6, loc="upper left", ncols=2)


def _at(times: list[float], when: list[float], values: list[float]) -> list[float]:
    known = dict(zip(when, values, strict=True))
    return [0.0 if math.isnan(known.get(at, 0.0)) else known.get(at, 0.0) for at in times]
