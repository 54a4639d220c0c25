"""What a worker tells Prometheus of its units.

The process that works may be killed at any moment, and the one that takes its place needs a while
to start. So figures lie in files that both map into memory, in a folder of the parent's: the parent
answers Prometheus, and a new child goes on counting where the last one ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector
from typing_extensions import override

from geogaze.config import Settings
from geogaze.evidence.engines import device_memory, device_name, engines_asked
from geogaze.ledger.records import Claim
from geogaze.metrics.few import Few
from geogaze.metrics.listening import listening, tell_version
from geogaze.runner.scratch import scratch_folder
from geogaze.runner.watcher import Watcher, model_of
from geogaze.timing import TIMING

log = structlog.get_logger()

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's own
_PROCESS = "process"  # file with the id of the child
_FILES = ("counter_child.db", "gauge_mostrecent_child.db", "histogram_child.db")
_FILE_BYTES = 2**18  # several times what the few labels take
_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)


class UnitFigures(Watcher):
    """Counts what becomes of units, and what the time goes into.

    Args:
        settings: of the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = registry = CollectorRegistry()
        self._settings = settings
        self._models = Few(settings.metrics_tenants)
        self._lock = Lock()
        self._parts: dict[str, float] = {}
        self._asked = (0, 0)
        self._attempts = Counter(
            "geogaze_unit_attempts",
            "Attempts at units by phase and what came of them: done, or what they failed of.",
            ("phase", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "geogaze_unit_seconds",
            "Seconds that attempts at units took, by phase.",
            ("phase",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._tiles = Counter(
            "geogaze_tiles", "Tiles explained, by model.", ("model",), registry=registry
        )
        self._spent = Counter(
            "geogaze_part_seconds",
            "Seconds that all lanes spent on parts of their work: read, network, store …",
            ("part",),
            registry=registry,
        )
        self._networks = Counter(
            "geogaze_network_requests",
            "Networks that units asked for, by whether they were loaded already.",
            ("cache",),
            registry=registry,
        )
        self._memory = Gauge(
            "geogaze_device_memory_bytes",
            "Memory of the device, used by whomever and in all, after the last unit.",
            ("device", "amount"),
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        for cache in ("hit", "miss"):
            self._networks.labels(cache)

    @override
    def on_items(self, claim: Claim, count: int) -> None:
        self._tiles.labels(self._models.of(model_of(claim) or "none")).inc(count)

    @override
    def on_ended(self, claim: Claim, outcome: str, seconds: float) -> None:
        self._attempts.labels(claim.phase, outcome).inc()
        self._seconds.labels(claim.phase).observe(seconds)
        with self._lock:
            for part, spent in TIMING.parts().items():
                self._spent.labels(part).inc(spent.wall - self._parts.get(part, 0.0))
                self._parts[part] = spent.wall
            asked = engines_asked()
            for cache, now, before in zip(("hit", "miss"), asked, self._asked, strict=True):
                self._networks.labels(cache).inc(now - before if now >= before else now)
            self._asked = asked
        if memory := device_memory(self._settings):
            device = device_name(self._settings)
            for amount, count in zip(("used", "total"), memory, strict=True):
                self._memory.labels(device, amount).set(count)


def use_folder() -> None:
    """Keep the figures of this process in its parent's folder, if that has one."""
    if folder := os.environ.get(_FOLDER):
        # One name for all children: there is one at a time, and each goes on with the last one's.
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: "child")
        Path(folder, _PROCESS).write_text(str(os.getpid()))


@contextmanager
def shown(settings: Settings) -> Iterator[None]:
    """Answer Prometheus for the child that is started meanwhile, and for those after it.

    Raises:
        InvalidRequest: the port cannot be had.
    """
    os.environ.pop(_FOLDER, None)  # figures of another program
    if settings.metrics_listen is None:
        yield
        return
    with scratch_folder(settings) as folder:
        registry = CollectorRegistry()
        tell_version(registry, "worker")
        MultiProcessCollector(registry, str(folder))
        ProcessCollector(pid=lambda: _child(folder), registry=registry)
        for name in _FILES:
            # Written, not only sized: on a disk that is full by then, memory mapped to a hole in a
            # file would end the process.
            (folder / name).write_bytes(bytes(_FILE_BYTES))
        os.environ[_FOLDER] = str(folder)
        with listening(settings.metrics_listen, registry):
            yield


def _child(folder: Path) -> str:
    """The id of the child's process; while there is none, that of none."""
    path = folder / _PROCESS
    return path.read_text() if path.exists() else "none"
