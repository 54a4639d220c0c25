"""Which engine runs a bundle: its exported graph where that will do, else torch. No torch here."""

from __future__ import annotations

import sys
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import structlog

from geogaze.config import Settings
from geogaze.errors import DeviceAbsent, UnsupportedArchitecture
from geogaze.evidence.explainer import Explainer
from geogaze.evidence.exported import GraphEngine
from geogaze.evidence.runtimes.openvino import openvino_present
from geogaze.models.bundles import Bundle
from geogaze.models.methods import METHODS
from geogaze.timing import timed

log = structlog.get_logger()

_LOADING = threading.Lock()
_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))  # of Linux, and of Linux under Windows


@timed("load")
def load_engine(
    bundle: Bundle, settings: Settings, method: str = "gradcam", context: str = "tile"
) -> Explainer:
    """An engine, kept for the next unit of the same model.

    Args:
        bundle: the model.
        settings: its device, runtime, precision, batch size and threads are used.
        method: a key of :data:`geogaze.models.methods.METHODS`.
        context: of the tiles, ``tile`` or ``scene``.

    Raises:
        DeviceAbsent: the device or the runtime is not there; or torch is needed, and not installed.
        DeviceBroke: the device is there, and failed.
        OutOfMemory: the network does not fit, even alone; another worker may have more.
        InvalidBundle: its files are not those that it describes.
        UnsupportedArchitecture: OpenVINO is asked for, and gives something else than the network.
    """
    reason = _needs_torch(bundle, settings, method, context)
    if reason is None:
        with _LOADING:  # lanes that ask at the same moment share one
            found = _kept_graph(bundle, settings.batch_size, settings.torch_threads)
        if isinstance(found, GraphEngine):
            return found
        if settings.runtime != "auto":
            raise found
        reason = f"The model {bundle.name!r}, whose graph runs wrongly on this machine,"
    if find_spec("torch") is None:
        raise DeviceAbsent(
            f"{reason} needs torch, which is not installed here: pip install 'geogaze[worker]'."
        )
    from geogaze.evidence.kept import load_engine as load_by_torch

    return load_by_torch(bundle, settings)


def _needs_torch(bundle: Bundle, settings: Settings, method: str, context: str) -> str | None:
    """What the bundle's graph cannot do, to begin a sentence with; None where it will do."""
    device = settings.device
    cases = {
        f"The model {bundle.name!r}, which has no exported graph,": bundle.graph is None,
        "GEOGAZE_RUNTIME=torch": settings.runtime == "torch",
        f"GEOGAZE_PRECISION={settings.precision}": settings.precision not in {"auto", "fp32"},
        f"The method {METHODS[method].title}": method != "gradcam",
        "Scene context": context != "tile",
        f"The device {device!r}": device not in {"auto", "cpu"},
        "A GPU": device == "auto" and _has_gpu(),
        "A machine without OpenVINO": not openvino_present(),
    }
    return next((what for what, here in cases.items() if here), None)


def _has_gpu() -> bool:
    """Whether torch would find a GPU: told by the driver, as asking torch takes seconds."""
    return find_spec("torch") is not None and any(driver.exists() for driver in _DRIVERS)


def device_name(settings: Settings) -> str:
    """What networks run on here, for people: ``cpu``, or ``cuda:0 NVIDIA H200`` once it was used.

    It wakes no device, and waits for none.
    """
    auto = "cuda" if _has_gpu() else "cpu"
    device = auto if settings.device == "auto" else settings.device
    torch = sys.modules.get("torch")
    if device.startswith("cuda") and torch and torch.cuda.is_initialized():
        return f"{device} {torch.cuda.get_device_name(device)}"
    return device


def device_kind(settings: Settings) -> str:
    """The same without its number: ``cpu``, ``cuda`` or, once it was used, ``NVIDIA H200``."""
    number, _, name = device_name(settings).partition(" ")
    return name or number.partition(":")[0]


def device_memory(settings: Settings) -> tuple[int, int] | None:
    """Bytes of the device's memory that are used, by whomever, and all it has; None where that
    cannot be told. Of a CPU it is the machine's.
    """
    torch = sys.modules.get("torch")
    if device_name(settings).startswith("cuda") and torch and torch.cuda.is_initialized():
        named = settings.device if settings.device.startswith("cuda") else None
        free, total = torch.cuda.mem_get_info(named)
        return total - free, total
    if find_spec("psutil") is None:  # the light install does without
        return None
    import psutil

    memory = psutil.virtual_memory()
    return memory.total - memory.available, memory.total


def engines_asked() -> tuple[int, int]:
    """How often a network was there when a unit asked for it, and how often it was loaded, since
    all were let go of the last time.
    """
    caches = [_kept_graph]
    if kept := sys.modules.get("geogaze.evidence.kept"):
        caches.append(kept.kept_engine)
    told = [cache.cache_info() for cache in caches]
    return sum(one.hits for one in told), sum(one.misses for one in told)


@lru_cache(maxsize=2)
def _kept_graph(
    bundle: Bundle, batch_size: int, threads: int
) -> GraphEngine | UnsupportedArchitecture:
    """The graph's engine, or why there is none: it is not tried again at the next unit."""
    try:
        return GraphEngine(bundle, batch_size, threads)
    except UnsupportedArchitecture as error:
        log.warning("graph not used", model=bundle.name, error=str(error))
        return error.with_traceback(None)  # which holds the graph


def drop_engines() -> None:
    """Let go of the networks that are kept for the next unit."""
    _kept_graph.cache_clear()
    if kept := sys.modules.get("geogaze.evidence.kept"):
        kept.drop_engines()
