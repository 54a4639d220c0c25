"""LeGrad: to which tokens would more attention raise a score, block by block?

Bousselham et al. 2024, arXiv:2404.03214. Behind each block l the classifier is asked of the class
token as it is there, which gives a score s. Its gradient by the block's attention is clamped at 0
and averaged over heads; the mean over blocks is the map. Only the class token's own row of the
attention reaches s, where the gradient at token n is g · v_n for the score's gradient g at what is
attended to and the token's value v_n: no attention of patches is differentiated, and none kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from geogaze.evidence.attention.method import AttentionMethod
from geogaze.evidence.gradients import score_gradients
from geogaze.models.targets import Target
from geogaze.networks.class_token import ClassTokenHead, TokenBlocks
from geogaze.networks.layouts import AsMaps

_WIDER = 4  # the feed-forward layer than a token


def legrad(
    blocks: TokenBlocks, as_maps: AsMaps, images: Tensor, targets: Sequence[Target] | None
) -> tuple[Tensor, Tensor]:
    """LeGrad, not stretched to 0..1: see :class:`AttentionMethod`."""
    with torch.no_grad():
        tokens = blocks.embed(images)
        seen = [tokens, *(tokens := block(tokens) for block in blocks.blocks)]
        logits = blocks.heads[-1](_behind_norm(blocks.heads[-1], seen[-1]))
    found = [
        _sensitivity(head, before, logits, targets)
        for head, before in zip(blocks.heads, seen, strict=True)
    ]
    with torch.no_grad():
        mean = torch.stack(found).mean(dim=0)  # (K, B, N)
        maps = as_maps(mean.flatten(0, 1)[..., None]).squeeze(1)
        return logits, maps.unflatten(0, mean.shape[:2]).transpose(0, 1).contiguous()


def _sensitivity(
    head: ClassTokenHead, tokens: Tensor, logits: Tensor, targets: Sequence[Target] | None
) -> Tensor:
    """The positive part of ∂score/∂attention behind a block, mean over heads: (K, B, N)."""
    with torch.no_grad():
        row = head.row(_behind_norm(head, tokens))
        attended = row.attended
    vector = attended.flatten(1).detach().requires_grad_()
    with torch.enable_grad():
        here = head.finish(row.residual, vector)
    groups = []
    for gradients in score_gradients(here, vector, targets, _WIDER, ranked=logits):
        with torch.no_grad():
            by_head = gradients.unflatten(2, attended.shape[1:])
            raised = torch.einsum("kbhd,bnhd->kbhn", by_head, row.values)
            groups.append(raised.relu().mean(dim=2))
    return torch.cat(groups)


def _behind_norm(head: ClassTokenHead, tokens: Tensor) -> Tensor:
    """Tokens before a block as its head takes them: all but the class token behind the norm."""
    return torch.cat([tokens[:, :1], head.norm(tokens[:, 1:])], dim=1)


METHOD = AttentionMethod(legrad)
