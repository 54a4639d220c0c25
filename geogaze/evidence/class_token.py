"""Evidence of a class-token transformer, in closed form through one attention row.

A shift s added to every patch token behind the last block's first norm moves patches' keys by
W_k s and their values by W_v s, nothing else. With the class token's attention a (per head h),
query q, what it attended to o, the part o_P of that which patches gave, a_P = Σ_P a, and a score's
gradient g at o, the derivative by s is

    Σ_h W_vᵀ (a_P g) + W_kᵀ (q / √d) (g · o_P - a_P (g · o))

so that each class costs one vector through the class token's own feed-forward layer, and no
gradient at the patches is ever made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geogaze.evidence.cams.cam import find_cam
from geogaze.evidence.gradients import score_gradients
from geogaze.models.targets import Target
from geogaze.networks.class_token import ClassTokenHead
from geogaze.networks.layouts import AsMaps

_WIDER = 4  # the feed-forward layer than a token


@dataclass(frozen=True, eq=False)
class ClassTokenShift:
    """A :class:`geogaze.evidence.heads.ShiftHead` of tokens."""

    head: ClassTokenHead
    as_maps: AsMaps

    @property
    def uniform(self) -> bool:
        """Never: the attention differs between positions."""
        return False

    def explain(
        self, activations: Tensor, targets: Sequence[Target] | None, method: str
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and maps (B, K, g, g) of tokens (B, 1 + g · g, D)."""
        head = self.head
        with torch.no_grad():
            row = head.row(activations)
            attended = row.attended
        vector = attended.flatten(1).detach().requires_grad_()
        with torch.enable_grad():
            logits = head.finish(row.residual, vector)
        gradients = list(score_gradients(logits, vector, targets, _WIDER))
        with torch.no_grad():
            by_head = torch.cat(gradients).unflatten(2, attended.shape[1:])  # (K, B, H, d)
            patches = row.attention[:, :, 1:]
            share = patches.sum(dim=2)  # (B, H)
            given = torch.einsum("bhn,bnhd->bhd", patches, row.values[:, 1:])
            along = (by_head * (given - share[..., None] * attended)).sum(dim=3)
            width = vector.shape[1]
            keys, values = head.weight[width:].split(width)
            weights = (by_head * share[..., None]).flatten(2) @ values
            weights = weights + (along[..., None] * row.query).flatten(2) @ keys
            return logits.detach(), find_cam(method).pooled(weights, self.as_maps(activations))
