"""Engines that are kept for the next unit of the same model."""

from __future__ import annotations

from functools import lru_cache

import torch

from geogaze.config import Settings
from geogaze.cores import usable_cores
from geogaze.errors import OutOfMemory
from geogaze.evidence.device import faults_as_ours, on_device
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.evidence.methods import load_methods
from geogaze.models.bundles import Bundle


def load_engine(bundle: Bundle, settings: Settings) -> Engine:
    """An engine, kept for the next unit of the same model.

    Args:
        bundle: the model.
        settings: its device, precision, batch size and threads are used.

    Raises:
        DeviceAbsent: the device is not there.
        DeviceBroke: it is there, and failed.
        OutOfMemory: the network does not fit, even alone; another worker may have more.
    """
    load_methods()
    threads = settings.torch_threads or min(torch.get_num_threads(), usable_cores())
    on_device(torch.set_num_threads, threads)
    # Between batches, too: tracing a network patches all modules meanwhile.
    options = EngineOptions(
        settings.device,
        settings.precision,
        settings.batch_size,
        settings.runtime,
        settings.kept_in,
        threads,
    )
    try:
        return on_device(kept_engine, bundle, options)
    except OutOfMemory:
        kept_engine.cache_clear()  # makes room, where other networks take it
    return on_device(kept_engine, bundle, options)


def drop_engines() -> None:
    """Let go of the networks that are kept for the next unit."""
    kept_engine.cache_clear()


@lru_cache(maxsize=2)
def kept_engine(bundle: Bundle, options: EngineOptions) -> Engine:
    """The engine of a bundle, loaded where it is not there."""
    with faults_as_ours(f"the network of {bundle.name!r}"):
        try:
            return Engine(bundle, options)
        except MemoryError as error:
            raise OutOfMemory(f"Memory ran out while {bundle.name!r} was loaded.") from error
