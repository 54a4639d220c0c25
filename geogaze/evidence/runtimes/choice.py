"""Which runtime and precision run a trunk: what was asked for, or the quickest that is exact."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import structlog
import torch

from geogaze.errors import DeviceAbsent, UnsupportedArchitecture
from geogaze.evidence.runtimes.converted import Shapes, convert
from geogaze.evidence.runtimes.openvino import openvino_present
from geogaze.evidence.runtimes.trunk import Precision, TorchTrunk, Trunk
from geogaze.models.bundles import Bundle
from geogaze.networks.split import Split

log = structlog.get_logger()

Runtime = Literal["auto", "torch", "openvino"]

_MORE_CELLS = 2  # of the window that a trunk is tried with, beside tiles


def pick_trunk(
    cut: Split,
    bundle: Bundle,
    runtime: Runtime,
    precision: Precision,
    *,
    device: torch.device,
    cache: Path | None = None,
    threads: int = 0,
) -> Trunk:
    """What runs a trunk.

    Args:
        cut: the network, on its device.
        bundle: what it was made of.
        runtime: ``auto`` is OpenVINO on a CPU, where it is installed and gives torch's
            activations; else torch.
        precision: of the trunk.
        device: where torch has the network.
        cache: folder where converted networks are kept; None: nowhere.
        threads: of a runtime other than torch; 0: as many as there are cores to use.

    Raises:
        DeviceAbsent: the runtime is not installed, or not for this device or precision.
        UnsupportedArchitecture: the runtime was asked for, and cannot run the network exactly.
    """
    size = bundle.input_size
    if (why_not := _hindrance(precision, device)) is None and runtime != "torch":
        assert precision in {"fp32", "bf16"}
        try:
            return convert(cut.trunk, _shapes(bundle), cache, precision, threads)
        except UnsupportedArchitecture as error:
            if runtime == "openvino":
                raise
            log.info("torch runs this network", model=bundle.name, reason=str(error))
    elif runtime == "openvino" and why_not:
        raise DeviceAbsent(why_not)
    return TorchTrunk(cut.trunk, precision, (size, size))


def _hindrance(precision: Precision, device: torch.device) -> str | None:
    """Why OpenVINO is not asked, in a sentence; None if it may be."""
    advice = "set GEOGAZE_RUNTIME to auto or torch."
    if device.type != "cpu":
        return f"The runtime 'openvino' runs on CPUs here, not on {device.type}: {advice}"
    if precision not in {"fp32", "bf16"}:
        return f"The runtime 'openvino' knows fp32 and bf16, not {precision}: {advice}"
    if not openvino_present():
        return (
            "The runtime 'openvino' is not installed here: pip install 'geogaze[openvino]', or "
            f"{advice}"
        )
    return None


def _shapes(bundle: Bundle) -> Shapes:
    """Tiles, and windows where tiles may share the trunk's activations."""
    bands, size = len(bundle.bands), bundle.input_size
    more = size + _MORE_CELLS * bundle.stride
    return Shapes((bands, size, size), (bands, more, size) if bundle.halo is not None else None)
