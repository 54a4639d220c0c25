"""What was found on scenes as bytes, for units that go on from it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.arrays import unpacked
from geogaze.audit.causing import Effects
from geogaze.audit.measuring import Measured
from geogaze.processes.audit.plan import SitePlan

Columns = dict[str, NDArray[Any]]
"""Arrays by the names of what they are."""

_BELOW = "/"


def packed(found: Mapping[int, Columns]) -> bytes:
    """Arrays of some scenes, by the scenes' positions, as ``.npz``."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {
        f"{at}{_BELOW}{name}": values
        for at, columns in found.items()
        for name, values in columns.items()
    }
    np.savez(buffer, **named)  # figures like these do not get smaller
    return buffer.getvalue()


def unpacked_of(data: bytes, at: int) -> Columns:
    """The arrays of one scene among those of several."""
    start = f"{at}{_BELOW}"
    kept = unpacked(data, lambda name: name.startswith(start))
    return {name.removeprefix(start): values for name, values in kept.items()}


def columns_of(found: Measured | Effects) -> Columns:
    """What was measured or changed, as arrays; what a field has by name lies below it."""
    columns: Columns = {}
    for field in fields(found):
        value = getattr(found, field.name)
        if isinstance(value, dict):
            columns |= {f"{field.name}{_BELOW}{name}": np.asarray(v) for name, v in value.items()}
        elif isinstance(value, np.ndarray):
            columns[field.name] = value
    return columns


def measured_of(columns: Columns, plan: SitePlan) -> Measured:
    """What was measured on a scene."""
    return Measured(plan.name, (plan.rows, plan.cols), **columns)


def effects_of(columns: Columns) -> Effects:
    """What changing a scene did."""
    named: dict[str, Any] = {"suppressed": {}, "probes": {}}
    for path in [path for path in columns if _BELOW in path]:
        field, _, name = path.partition(_BELOW)
        value = columns[path]
        named[field][name] = value if value.ndim else float(value)
    plain: dict[str, Any] = {name: values for name, values in columns.items() if _BELOW not in name}
    return Effects(**plain, **named)
