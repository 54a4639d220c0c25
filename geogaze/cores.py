"""Processor cores: how many this process may use, containers' limits included, and sharing them."""

from __future__ import annotations

import math
import os
from pathlib import Path

_SPINS = "3000"  # of 300,000 by default
_CGROUP_2 = "cpu.max"
_CGROUP_1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores of this process's affinity, and no more than its control group's quota pays for.

    More threads than that take turns, and who computes waits for who sleeps.

    Args:
        root: where control groups are mounted.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, _quota(root)))


def let_threads_sleep() -> None:
    """Have OpenMP's threads spin for some microseconds between layers and then sleep, unless the
    user says otherwise.

    Beside a busy process, threads that wait for each other spinning get a third of the idle rate,
    these half and more. Those that never spin lose a quarter alone, these a twelfth. GNU's OpenMP
    reads it when torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def _quota(root: Path) -> int:
    """Cores that the control group may keep busy, rounded up; a great many if it sets no limit."""
    for folder in (root, root / "cpu"):
        try:
            if (folder / _CGROUP_2).is_file():
                quota, period = (folder / _CGROUP_2).read_text().split()
            else:
                quota, period = ((folder / name).read_text().strip() for name in _CGROUP_1)
        except (OSError, ValueError):
            continue
        if quota not in {"max", "-1"}:
            return math.ceil(int(quota) / int(period))
    return 1 << 16
