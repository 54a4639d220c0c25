"""A trunk whose convolutions and products round as those of a GPU in half precision do.

A processor without such instructions computes in half precision a tenth as fast as in full, or
less. What precision costs can be had for the price of full precision: factors and results are
rounded, sums of products are float32, as they are in a GPU's matrix units.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from geogaze.evidence.runtimes.trunk import Precision, torch_name

Half = Literal["fp16", "bf16"]

HALVES: dict[Half, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}


class RoundedTrunk:
    """A trunk run by torch in float32 and rounded on its way; see
    :class:`geogaze.evidence.runtimes.trunk.Trunk`.

    Args:
        trunk: on any device, float32; not changed.
        precision: that is rounded to.
    """

    most_tiles: int | None = None

    def __init__(self, trunk: nn.Module, precision: Half) -> None:
        self.runtime = torch_name()
        self.precision: Precision = precision
        dtype = HALVES[precision]

        def rounded(value: Any) -> Any:
            return value.to(dtype).to(value.dtype) if isinstance(value, Tensor) else value

        self._trunk = copy.deepcopy(trunk)
        for module in self._trunk.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                for parameter in module.parameters(recurse=False):
                    parameter.data = rounded(parameter.data)
                module.register_forward_pre_hook(lambda _, given: tuple(map(rounded, given)))
                module.register_forward_hook(lambda _, _given, found: rounded(found))

    def __call__(self, images: Tensor) -> Tensor:
        """As :meth:`geogaze.evidence.runtimes.trunk.Trunk.__call__`; not computed again where fp16
        overflows.
        """
        with torch.no_grad():
            activations: Tensor = self._trunk(images)
        return activations
