"""Where networks of timm are cut: behind their features, or before the last attention.

timm's classifiers share ``forward_features`` and ``forward_head``. Where the head begins with
global average pooling, pooling once more before it changes nothing, so that whatever follows is a
function of one vector for each image. Transformers that classify by a class token read no other
token behind their last block: those are cut behind its first norm.

timm is not imported here: its networks say what they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.captured import Captured
from geogaze.networks.class_token import ClassTokenHead, TokenBlocks
from geogaze.networks.layouts import AsMaps, Tokens, channels_last, maps
from geogaze.networks.split import Split

_AGREE = 1e-5
_SIDE = 224  # pixels, of networks that do not say what they take


def of_timm(model: nn.Module) -> bool:
    """Whether a network is one of timm's classifiers."""
    return type(model).__module__.startswith("timm.") and hasattr(model, "forward_head")


def side_of_timm(model: nn.Module) -> int:
    """The side of the images that a network of timm says it takes, pixels."""
    said = getattr(model, "pretrained_cfg", None) or {}
    return int(said.get("input_size", (3, _SIDE, _SIDE))[-1])


def cut_of_timm(model: nn.Module) -> Split | Captured:
    """A network of timm, cut; it is run once on an empty image to see how its features lie.

    Raises:
        UnsupportedArchitecture: its features are neither maps nor tokens on a square.
    """
    features = _features(model)
    layout = _layout(model, features)
    if isinstance(layout, Tokens) and _by_token(model):
        return _before_last_attention(model, layout)
    trunk = nn.Sequential(_Features(model), _AsMaps(layout))
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), _Pooled(model, layout))
    attends = layout is not maps or any("Attention" in type(m).__name__ for m in model.modules())
    if _begins_with_mean(model, features, layout, pooled):
        return Split(trunk, pooled, "forward_features", mixes=attends)
    return Split(_Features(model), _Head(model), "forward_features", layout, mixes=attends)


def _features(model: Any) -> Tensor:
    """Its features of an empty image, (1, …)."""
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    side = side_of_timm(model)
    empty = first.weight.new_zeros(1, first.in_channels, side, side)
    with torch.no_grad():
        found: Tensor = model.forward_features(empty)
    return found


def _layout(model: nn.Module, features: Tensor) -> AsMaps:
    """How features lie in their tensor.

    Raises:
        UnsupportedArchitecture: in no way that is known.
    """
    channels = getattr(model, "head_hidden_size", None), getattr(model, "num_features", None)
    if features.ndim == 3 and features.shape[2] in channels:
        tokens = Tokens(int(getattr(model, "num_prefix_tokens", 0)))
        tokens(features)
        return tokens
    if features.ndim == 4 and features.shape[3] in channels and features.shape[1] not in channels:
        return channels_last
    if features.ndim == 4:
        return maps
    raise UnsupportedArchitecture(
        f"{type(model).__name__} gives features {tuple(features.shape)}, which are neither maps "
        "nor tokens: name a layer with --layer."
    )


def _by_token(model: nn.Module) -> bool:
    """Whether it classifies by its prefix tokens alone."""
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    return prefix > 0 and getattr(model, "global_pool", None) == "token"


def _before_last_attention(model: Any, layout: Tokens) -> Split | Captured:
    """Cut behind the first norm of the last block."""
    name, block = f"blocks.{len(model.blocks) - 1}.norm1", model.blocks[-1]
    if type(model).__name__ == "VisionTransformer" and all(map(_plain, model.blocks)):
        heads = [_head(model, each) for each in model.blocks]
        trunk = _Tokens(model)
        blocks = TokenBlocks(trunk.embed, list(model.blocks[:-1]), heads)
        return Split(trunk, heads[-1], name, layout, mixes=True, blocks=blocks)
    attention: Any = getattr(block, "attn", None)
    if hasattr(attention, "fused_attn"):
        attention.fused_attn = False  # the fused one is not differentiated for many scores at once
    return Captured(model, name, layout)


def _head(model: Any, block: Any) -> ClassTokenHead:
    """A block for the class token alone, and the classifier."""
    attention = block.attn
    return ClassTokenHead(
        block.norm1,
        (attention.qkv.weight, attention.qkv.bias),
        attention.num_heads,
        nn.Sequential(attention.norm, attention.proj, block.ls1),
        nn.Sequential(block.norm2, block.mlp, block.ls2),
        nn.Sequential(model.norm, model.fc_norm, model.head),
    )


def _plain(block: nn.Module) -> bool:
    """Whether a block's attention is queries, keys and values of one layer with a bias, and no
    more.
    """
    attention = getattr(block, "attn", None)
    between = [getattr(attention, part, None) for part in ("q_norm", "k_norm", "norm")]
    qkv = getattr(attention, "qkv", None)
    return (
        type(block).__name__ == "Block"
        and isinstance(qkv, nn.Linear)
        and qkv.bias is not None
        and all(isinstance(module, nn.Identity) for module in between)
    )


def _begins_with_mean(model: Any, features: Tensor, layout: AsMaps, pooled: nn.Module) -> bool:
    """Whether a head's answer to features is that to their mean over places."""
    noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
    noise = noise.to(features)
    with torch.no_grad():
        whole: Tensor = model.forward_head(noise)
        of_mean: Tensor = pooled(layout(noise))
    if whole.shape != of_mean.shape:
        return False
    return bool((whole - of_mean).abs().max() <= _AGREE * whole.abs().max())


class _Features(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        model: Any = self.model
        features: Tensor = model.forward_features(images)
        return features


class _Head(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        model: Any = self.model
        logits: Tensor = model.forward_head(features)
        return logits


class _AsMaps(nn.Module):
    """Features as maps (B, C, h, w)."""

    def __init__(self, layout: AsMaps) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, features: Tensor) -> Tensor:
        return self.layout(features)


class _Pooled(_Head):
    """The head on maps of one cell (B, C, 1, 1), laid out as its features are."""

    def __init__(self, model: nn.Module, layout: AsMaps) -> None:
        super().__init__(model)
        self.layout = layout

    def forward(self, features: Tensor) -> Tensor:
        if self.layout is channels_last:
            features = features.permute(0, 2, 3, 1)
        elif isinstance(self.layout, Tokens):
            token = features.flatten(2).transpose(1, 2)
            nowhere = token.new_zeros(1, 1, 1).expand(
                len(token), self.layout.prefix, token.shape[2]
            )
            features = torch.cat([nowhere, token], dim=1)
        return super().forward(features)


class _Tokens(nn.Module):
    """Images to tokens (B, prefix + g · g, C): the class token as it is, others behind the norm."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def embed(self, images: Tensor) -> Tensor:
        """Tokens before the first block."""
        model: Any = self.model
        tokens = model._pos_embed(model.patch_embed(images))  # noqa: SLF001  no public name
        embedded: Tensor = model.norm_pre(model.patch_drop(tokens))
        return embedded

    def forward(self, images: Tensor) -> Tensor:
        model: Any = self.model
        tokens = self.embed(images)
        for block in model.blocks[:-1]:
            tokens = block(tokens)
        others = model.blocks[-1].norm1(tokens[:, 1:])
        return torch.cat([tokens[:, :1], others], dim=1)
