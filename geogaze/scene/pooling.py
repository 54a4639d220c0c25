"""A sample of the values of several files together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import SceneUnusable
from geogaze.scene.asking import Asking
from geogaze.scene.members import Laid
from geogaze.scene.rasterfile import open_dataset
from geogaze.scene.readers import driver_of
from geogaze.scene.sample import Samples, sample_values

_MOST_FILES = 12
"""That are sampled for each band: more take long, and tell little more."""


def pooled_samples(uri: str, laid: Sequence[Laid]) -> tuple[Samples, int]:
    """Valid values of each of the model's bands, and of how many files: of some that stand far
    apart in the list, where there are many.

    Args:
        uri: the scene.
        laid: its parts.

    Raises:
        SceneUnusable: no valid pixel was found in any.
        SceneUnreadable: one cannot be read.
        SceneUnreachable: the same of a remote one.
    """
    width = len(laid[0].bands)
    chosen: dict[str, Laid] = {}
    for band in range(width):
        having = [part for part in laid if part.bands[band]]
        for number in np.unique(np.linspace(0, len(having) - 1, _MOST_FILES, dtype=int)):
            if having:
                chosen.setdefault(having[number].member.source.uri, having[number])
    pools: list[list[NDArray[Any]]] = [[] for _ in range(width)]
    for part in chosen.values():
        for band, values in _samples(part).items():
            for position in (at for at, own in enumerate(part.bands) if own == band):
                pools[position].append(values)
    if not any(values.size for pool in pools for values in pool):
        raise SceneUnusable(f"{uri!r} is empty: no valid pixel was found in its files.")
    return [np.concatenate(pool) if pool else np.empty(0) for pool in pools], len(chosen)


def _samples(part: Laid) -> dict[int, NDArray[Any]]:
    """Of one file, by its bands; nothing of a file that is empty."""
    source, bands = part.member.source, part.used
    asking = Asking(source.uri, source.settings.silence_seconds)
    with open_dataset(source, driver_of(source)) as dataset:
        try:
            found = sample_values(dataset, asking, bands)
        except SceneUnusable:
            return {}
    if part.nodata is not None:
        found = [values[values != part.nodata] for values in found]
    return dict(zip(bands, found, strict=True))
