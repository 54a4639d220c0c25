"""The most common ends of classifiers."""

from __future__ import annotations

from torch import nn


def pooled(*classifier: nn.Module) -> nn.Sequential:
    """A head that pools globally, then classifies."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), *classifier)


def last_of(stages: nn.Sequential, name: str = "features") -> str:
    """The name of the last stage of the sequence called ``name``."""
    return f"{name}.{len(stages) - 1}"
