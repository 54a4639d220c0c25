"""Grad-CAM of a class-token transformer, in closed form through one attention row.

A shift s added to every patch token behind the last block's first norm moves patches' keys by
W_k s and their values by W_v s, nothing else. With the class token's attention a (per head h),
query q / √d, what it attended to o, the part o_P of that which patches gave, and a_P = Σ_P a, what
it attends to then moves by

    a_P W_v s + (q · W_k s) (o_P - a_P o)

so that behind the attention only a function of one vector is left to differentiate: by classes, one
vector each through the class token's own feed-forward layer, or, where there are more of them, by
cells, each a shift by its own token. No gradient at the patches is ever made.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geogaze.evidence.cams.cam import weigh
from geogaze.evidence.gradients import at_once, score_gradients
from geogaze.evidence.heads import scores
from geogaze.models.targets import Target
from geogaze.networks.class_token import ClassTokenHead, Row
from geogaze.networks.layouts import Tokens

_WIDER = 2  # the feed-forward layer than the class token and what it attends to


@dataclass(frozen=True, eq=False)
class ClassTokenShift:
    """The end of a class-token network; ``tokens`` says which of its tokens are places."""

    head: ClassTokenHead
    tokens: Tokens

    def explain(
        self, activations: Tensor, targets: Sequence[Target] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, classes), maps (B, K, g, g) and what is on no place (B, K) of tokens.

        Args:
            activations: (B, prefix + g · g, D): the class token as it is, all others behind the
                norm.
            targets: K scores, or None for each image's own best class.
        """
        with torch.no_grad():
            row = self.head.row(activations)
            ends = torch.cat([row.residual, row.attended.flatten(1)], dim=1)
            beside = torch.cat([row.residual, self._beside(row).flatten(1)], dim=1)
        if targets is not None and len(targets) > activations.shape[1]:
            return self._from_cells(row, ends, beside, activations, targets)
        return self._from_classes(row, ends, beside, activations, targets)

    def _from_classes(
        self,
        row: Row,
        ends: Tensor,
        beside: Tensor,
        activations: Tensor,
        targets: Sequence[Target] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ends = ends.detach().requires_grad_()
        with torch.enable_grad():
            logits = self._finish(ends)
        gradients = torch.cat(list(score_gradients(logits, ends, targets, _WIDER)))
        with torch.no_grad():
            by_head = gradients[..., row.residual.shape[1] :].unflatten(2, row.query.shape[1:])
            share, turned = self._moved(row)
            along = (by_head * turned).sum(dim=3)  # (K, B, H)
            keys, values = self.head.keys_and_values
            weights = (by_head * share[..., None]).flatten(2) @ values
            weights = weights + (along[..., None] * row.query).flatten(2) @ keys
            maps = weigh(weights, self.tokens(activations))
            return logits.detach(), maps, torch.einsum("kbd,bd->bk", gradients, beside)

    def _from_cells(
        self,
        row: Row,
        ends: Tensor,
        beside: Tensor,
        activations: Tensor,
        targets: Sequence[Target],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """By the derivative of what follows along each cell's token; the last is no cell."""
        with torch.no_grad():
            share, turned = self._moved(row)
            keys, values = (part[:, self.tokens.prefix :] for part in self._unbiased(row))
            weight = torch.einsum("bhd,bphd->bph", row.query, keys)
            moved = share[:, None, :, None] * values + weight[..., None] * turned[:, None]
            along = moved.flatten(2).transpose(0, 1)  # (cells, B, D)
            along = torch.cat([torch.zeros_like(along), along], dim=2)
            along = torch.cat([along, beside[None]])

            def derivative(tangent: Tensor) -> Tensor:
                change: Tensor = torch.func.jvp(self._finish, (ends,), (tangent,))[1]
                return change

            with warnings.catch_warnings():  # torch's own import, on first use
                warnings.filterwarnings("ignore", r"`torch\.jit\.script")
                group = at_once(ends, _WIDER)
                change = torch.func.vmap(derivative, chunk_size=group)(along)  # (cells, B, classes)
            wanted = scores(change, targets, dim=2)
            side = self.tokens(activations).shape[-1]
            maps = wanted[:-1].permute(1, 2, 0).unflatten(2, (side, side))
            return self._finish(ends), maps.contiguous(), wanted[-1]

    def _finish(self, ends: Tensor) -> Tensor:
        """Logits of the class token before its attention, and what it attended to: (B, 2 D)."""
        residual, attended = ends.chunk(2, dim=1)
        return self.head.finish(residual, attended)

    def _moved(self, row: Row) -> tuple[Tensor, Tensor]:
        """What patches have of the attention (B, H), and by what it moves where they draw more of
        it (B, H, d).
        """
        patches = row.attention[:, :, self.tokens.prefix :]
        share = patches.sum(dim=2)
        given = torch.einsum("bhn,bnhd->bhd", patches, row.values[:, self.tokens.prefix :])
        return share, given - share[..., None] * row.attended

    def _beside(self, row: Row) -> Tensor:
        """How what is attended to (B, H, d) moves along the tokens that are nowhere, each by
        itself: as keys and values, and the class token as what asks.
        """
        prefix, attended = self.tokens.prefix, row.attended
        keys, values = (part[:, :prefix] for part in self._unbiased(row))
        attention = row.attention[:, :, :prefix]
        drawn = attention * torch.einsum("bhd,bnhd->bhn", row.query, keys)
        moved = torch.einsum("bhn,bnhd->bhd", attention, values)
        moved = moved + torch.einsum("bhn,bnhd->bhd", drawn, row.values[:, :prefix])
        moved = moved - drawn.sum(dim=2)[..., None] * attended
        asked = torch.einsum("bhd,bnhd->bhn", self.head.query(row.first, bias=False), row.keys)
        asked = row.attention * asked
        moved = moved + torch.einsum("bhn,bnhd->bhd", asked, row.values)
        return moved - asked.sum(dim=2)[..., None] * attended

    def _unbiased(self, row: Row) -> tuple[Tensor, Tensor]:
        """Keys and values (B, N, H, d) without their biases: linear in the tokens."""
        _, keys, values = self.head.bias.chunk(3)
        each = row.query.shape[1:]
        return row.keys - keys.unflatten(0, each), row.values - values.unflatten(0, each)
