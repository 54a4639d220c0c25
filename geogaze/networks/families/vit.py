"""ViT, which classifies by its class token: the cut lies behind the last block's first norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from geogaze.networks.class_token import ClassTokenHead, TokenBlocks
from geogaze.networks.families.family import Family
from geogaze.networks.layouts import Tokens
from geogaze.networks.split import Split


class _Trunk(nn.Module):
    """Images to tokens (B, 1 + g · g, C): the class token as it is, patches behind the norm."""

    def __init__(self, model: VisionTransformer) -> None:
        super().__init__()
        self.conv_proj = model.conv_proj
        self.class_token = model.class_token
        self.pos_embedding = model.encoder.pos_embedding
        self.dropout = model.encoder.dropout
        self.layers = nn.Sequential(*model.encoder.layers[:-1])
        self.norm = model.encoder.layers[-1].ln_1

    def embed(self, images: Tensor) -> Tensor:
        """Tokens before the first block."""
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        first = self.class_token.expand(patches.shape[0], -1, -1)
        tokens: Tensor = self.dropout(torch.cat([first, patches], dim=1) + self.pos_embedding)
        return tokens

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.layers(self.embed(images))
        return torch.cat([tokens[:, :1], self.norm(tokens[:, 1:])], dim=1)


def _split(model: VisionTransformer) -> Split:
    name, _ = list(model.encoder.layers.named_children())[-1]
    heads = [_head(model, block) for block in model.encoder.layers]
    trunk = _Trunk(model)
    return Split(
        trunk,
        heads[-1],
        f"encoder.layers.{name}.ln_1",
        Tokens(1),
        mixes=True,
        blocks=TokenBlocks(trunk.embed, list(trunk.layers), heads),
    )


def _head(model: VisionTransformer, block: Any) -> ClassTokenHead:
    attention = block.self_attention
    return ClassTokenHead(
        block.ln_1,
        (attention.in_proj_weight, attention.in_proj_bias),
        attention.num_heads,
        attention.out_proj,
        nn.Sequential(block.ln_2, block.mlp),
        nn.Sequential(model.encoder.ln, model.heads),
    )


FAMILY = Family(("vit_b_", "vit_l_"), (VisionTransformer,), _split)
