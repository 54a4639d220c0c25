"""The end of a transformer that classifies by its class token alone.

In its last block patch tokens matter only as keys and values of one attention row: their queries,
and what they become behind it, reach no score. So this computes neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Row:
    """The class token's attention row.

    ``residual`` (B, D) is the class token before the block and ``first`` behind its norm, ``query``
    (B, H, d) its scaled query, ``attention`` (B, H, N) its softmax over all tokens, ``keys`` and
    ``values`` (B, N, H, d) theirs.
    """

    residual: Tensor
    first: Tensor
    query: Tensor
    attention: Tensor
    keys: Tensor
    values: Tensor

    @property
    def attended(self) -> Tensor:
        """What the class token takes from all tokens, (B, H, d)."""
        return torch.einsum("bhn,bnhd->bhd", self.attention, self.values)


class ClassTokenHead(nn.Module):
    """The last block, for the class token alone, and the classifier.

    Args:
        norm: of the last block, before its attention.
        projections: weight (3 D, D) and bias (3 D) of queries, keys and values, in this order.
        heads: of the attention; D is a multiple.
        mix: the linear layer behind the attention.
        feed: what the block adds to its token after that, its own norm included.
        classifier: the last norm and what follows, from (B, D) to logits.
    """

    def __init__(
        self,
        norm: nn.Module,
        projections: tuple[nn.Parameter, nn.Parameter],
        heads: int,
        mix: nn.Module,
        feed: nn.Module,
        classifier: nn.Module,
    ) -> None:
        super().__init__()
        self.norm, self.mix, self.feed, self.classifier = norm, mix, feed, classifier
        self.weight, self.bias = projections
        self.heads = heads

    def row(self, tokens: Tensor) -> Row:
        """Of tokens (B, N, D): the class token as it is, then all others behind the norm."""
        residual = tokens[:, 0]
        first = self.norm(residual)
        width = first.shape[1]
        each = (self.heads, width // self.heads)
        query = self.query(first)
        seen = torch.cat([first[:, None], tokens[:, 1:]], dim=1)
        both = F.linear(seen, self.weight[width:], self.bias[width:])
        keys, values = (part.unflatten(2, each) for part in both.split(width, dim=2))
        attention = torch.einsum("bhd,bnhd->bhn", query, keys).softmax(dim=2)
        return Row(residual, first, query, attention, keys, values)

    def query(self, first: Tensor, *, bias: bool = True) -> Tensor:
        """The class token's scaled query (B, H, d), or only what is linear in it."""
        width = first.shape[1]
        added = self.bias[:width] if bias else None
        query: Tensor = F.linear(first, self.weight[:width], added)
        query = query.unflatten(1, (self.heads, -1))
        return query / math.sqrt(query.shape[2])

    @property
    def keys_and_values(self) -> tuple[Tensor, Tensor]:
        """Their weights, (D, D) each."""
        _, keys, values = self.weight.chunk(3)
        return keys, values

    def finish(self, residual: Tensor, attended: Tensor) -> Tensor:
        """Logits of a class token (B, D) and what it attended to (B, D)."""
        token = residual + self.mix(attended)
        logits: Tensor = self.classifier(token + self.feed(token))
        return logits

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, classes) of tokens as :meth:`row` takes them."""
        row = self.row(tokens)
        return self.finish(row.residual, row.attended.flatten(1))


@dataclass(frozen=True, eq=False)
class TokenBlocks:
    """A class-token network block by block.

    ``embed`` takes images to tokens (B, N, D) before the first block; ``blocks`` are all but the
    last, from tokens to tokens; ``heads`` has each of them, and the last, for the class token
    alone, and the network's classifier behind it.
    """

    embed: Callable[[Tensor], Tensor]
    blocks: Sequence[nn.Module]
    heads: Sequence[ClassTokenHead]
