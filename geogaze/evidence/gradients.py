"""Gradients of many scores, several at a time, by batched vector-Jacobian products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.device import is_out_of_memory
from geogaze.evidence.heads import score_rows
from geogaze.models.targets import Target

_GROUP_BYTES = 256 * 2**20


def at_once(inputs: Tensor, wider: int = 1) -> int:
    """Derivatives by inputs that memory holds at the same time, ``wider`` times as large as those
    on their way.
    """
    return max(1, _GROUP_BYTES // (wider * inputs.numel() * inputs.element_size()))


def score_gradients(
    logits: Tensor,
    inputs: Tensor,
    targets: Sequence[Target] | None,
    wider: int = 1,
    ranked: Tensor | None = None,
) -> Iterator[Tensor]:
    """∂score/∂inputs (scores, *inputs.shape) of some scores after the other.

    Args:
        logits: (B, classes), with their graph, which is kept.
        inputs: what they were computed from.
        targets: K scores, or None for each image's own best class.
        wider: times as large as at the inputs gradients become on their way.
        ranked: (B, classes) by which the best class is chosen; None: by the logits.

    Raises:
        UnsupportedArchitecture: the logits do not depend on the inputs.
    """
    identity = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
    by = logits.detach() if ranked is None else ranked
    rows = score_rows(identity, targets, by).expand(-1, len(logits), -1)
    group = at_once(inputs, wider)
    for wanted in rows.split(group):
        try:
            (gradients,) = torch.autograd.grad(
                logits, inputs, wanted, retain_graph=True, is_grads_batched=True
            )
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise UnsupportedArchitecture(
                f"The logits cannot be differentiated by the target layer: {error}"
            ) from error
        yield gradients
