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

Series = dict[str, list[float]]
"""Values at the times of the picture, NaN where there is none, by what the legend says."""


def dashboard() -> dict[str, Any]:
    """The dashboard that is shipped."""
    found: dict[str, Any] = json.loads((WATCH / "dashboard.json").read_text(encoding="utf-8"))
    return found


class Past:
    """What a Prometheus has seen since a time.

    Args:
        url: its address.
        since: seconds since 1970.
        window: of rates, where the dashboard leaves it to Grafana.
    """

    def __init__(self, url: str, since: float, window: str) -> None:
        self._url, self._window = url, window
        self.step = max(1.0, round((time.time() - since) / _STEPS))
        count = int((time.time() - since) / self.step)
        self.times = [since + number * self.step for number in range(count + 1)]

    def series(self, expression: str, legend: str) -> Series:
        """What an expression came to."""
        asked = {
            "query": expression.replace("$__rate_interval", self._window),
            "start": self.times[0],
            "end": self.times[-1],
            "step": self.step,
        }
        url = f"{self._url}/api/v1/query_range"
        document = httpx.get(url, params=asked, timeout=60, trust_env=False).json()
        if document["status"] != "success":
            raise AssertionError(f"{expression}: {document['error']}")
        found: Series = {}
        for one in document["data"]["result"]:
            known = {round((float(at) - self.times[0]) / self.step): v for at, v in one["values"]}
            values = [float(known.get(number, math.nan)) for number in range(len(self.times))]
            found[_named(legend, one["metric"])] = values
        return found


def _named(legend: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), legend)


def draw(url: str, since: float, picture: Path, window: str = "1m") -> list[str]:
    """Draw all panels as they were since a time, red at the foot where alerts fired; the titles of
    those that are empty.
    """
    panels, past = dashboard()["panels"], Past(url, since, window)
    alerts = past.series('ALERTS{alertstate="firing"}', "{{alertname}} {{instance}}")
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)
    figure = plt.figure(figsize=(18, bottom * 0.55))
    empty = []
    for panel in panels:
        axes = figure.add_axes(_box(panel["gridPos"], bottom))
        axes.set_title(panel["title"], fontsize=9, loc="left")
        told: Series = {}
        for target in panel["targets"]:
            told |= past.series(target["expr"], target["legendFormat"])
        if all(math.isnan(value) for values in told.values() for value in values):
            empty.append(panel["title"])
        if panel["type"] == "stat":
            _number(axes, panel, told)
            continue
        _lines(axes, panel, told, [at - past.times[-1] for at in past.times])
        for at, *fire in zip(past.times, *alerts.values(), strict=True):
            if 1 in fire:
                left = at - past.times[-1]
                axes.axvspan(left, left + past.step, ymax=0.03, color="red", linewidth=0)
    figure.savefig(picture, dpi=70)
    plt.close(figure)
    return empty


def _box(place: dict[str, int], bottom: int) -> tuple[float, float, float, float]:
    """Where a panel lies: left, bottom, width and height of the picture's own."""
    return (
        (place["x"] + 0.9) / _COLUMNS,
        1 - (place["y"] + place["h"] - 0.9) / bottom,
        (place["w"] - 1.3) / _COLUMNS,
        (place["h"] - 1.7) / bottom,
    )


def _number(axes: Axes, panel: dict[str, Any], told: Series) -> None:
    last = next((values[-1] for values in told.values()), math.nan)
    unit = " s" if panel["fieldConfig"]["defaults"]["unit"] == "s" else ""
    axes.text(0, 0.5, f"{last:.0f}{unit}", fontsize=22, va="center")
    axes.set_axis_off()


def _lines(axes: Axes, panel: dict[str, Any], told: Series, times: list[float]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    scale = 2.0**30 if defaults["unit"] == "bytes" else 1.0
    if defaults["custom"]["stacking"]["mode"] == "normal" and told:
        rows = [[0.0 if math.isnan(value) else value for value in row] for row in told.values()]
        axes.stackplot(times, rows, labels=list(told), alpha=0.7)
    else:
        for name, values in told.items():
            axes.plot(times, [value / scale for value in values], label=name, linewidth=1)
    axes.set_xlim(times[0], times[-1])
    axes.set_ylim(0, defaults.get("max"))
    axes.tick_params(labelsize=7)
    if scale > 1:
        axes.set_ylabel("GiB", fontsize=7)
    if told:
        axes.legend(fontsize=6, loc="upper left", ncols=2, framealpha=0.6)
