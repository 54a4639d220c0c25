"""The default job, whole: where its time goes, and how much of it is the network's."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from geogaze.config import Settings
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport, run
from geogaze.timing import TIMING, Spent

_DRAWN = ("overlay", "encode")
"""Parts that make overlays, their overviews included."""


def bench_job(request: ExplainRequest, settings: Settings) -> dict[str, Any]:
    """Run a job as ``geogaze run`` does, into a folder that is removed.

    Returns:
        The keys that ``geogaze bench job --json`` prints. ``seconds`` count from the start of this
        process; ``network_s`` are those in which the device explained, ``efficiency`` their share.
        ``parts`` are seconds of all threads together, so that they may exceed ``seconds``:
        ``start`` until the job began, ``load`` the network and what runs it, ``read`` the scene,
        ``network``, ``blend``, ``overlay`` (drawing), ``encode`` (JPEG), ``encode heat``,
        ``store``, ``publish``. ``overlay_megapixels_per_core_s`` are pixels of all overlays at full
        resolution by the processor seconds of drawing and encoding them and their overviews; None
        without overlays. ``runtime`` and ``precision`` are the trunk's, ``peak_bytes`` the
        process's memory.

    Raises:
        GeogazeError: the scene cannot be explained.
    """
    TIMING.clear()
    TIMING.add("start", _seconds_alive())
    with tempfile.TemporaryDirectory(prefix="geogaze-bench-") as folder:
        report = run(request, Path(folder) / "products", settings)
        seconds = _seconds_alive()  # until the products lie there; that they go is the bench's
        ran = _ran(report)
    parts = TIMING.parts()
    network = parts.get("network", Spent()).wall
    return {
        "tiles": report.tiles,
        "seconds": seconds,
        "network_s": network,
        "efficiency": network / seconds,
        "parts": {name: spent.wall for name, spent in parts.items()},
        "overlay_megapixels_per_core_s": _overlay_rate(report.plan, report, parts),
        **ran,
        "peak_bytes": _peak_bytes(),
        "layers": len(report.plan.layers),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def _seconds_alive() -> float:
    """How long ago this process began."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(fields[_BEGAN]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, AttributeError):  # not Linux: to the second
        return time.time() - psutil.Process().create_time()


_BEGAN = 19  # of the fields behind the command's name: clock ticks since the machine started


def _ran(report: RunReport) -> dict[str, str]:
    """``runtime`` and ``precision`` of the trunk, as the job's Item tells them."""
    properties = json.loads(report.assets["item"].read_text())["properties"]
    ways = properties["geogaze:runtimes"]
    return {name: ", ".join(sorted({way[name] for way in ways})) for name in _WAYS}


_WAYS = ("runtime", "precision")


def _overlay_rate(plan: Plan, report: RunReport, parts: dict[str, Spent]) -> float | None:
    drawn = sum(name.startswith("overlay-") for name in report.assets)
    took = sum(parts[name].cpu for name in _DRAWN if name in parts)
    if not drawn or not took:
        return None
    top, left, bottom, right = plan.bounds
    return drawn * (bottom - top) * (right - left) / 1e6 / took


def _peak_bytes() -> int:
    """The most memory that this process had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts kilobytes
