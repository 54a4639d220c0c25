"""Describing torchvision's published models, for ``models/torchvision.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchvision.models import get_model_weights

from geogaze.networks.architectures import build, torchvision_architectures
from geogaze.networks.cuts import split
from geogaze.networks.registration import register


def describe_torchvision() -> dict[str, Any]:
    """Geometry, normalisation and weight files of all supported published classifiers."""
    described = {name: _describe(name) for name in torchvision_architectures()}
    categories = get_model_weights("vgg16").DEFAULT.meta["categories"]
    return {"classes": _distinct(categories), "architectures": described}


def _describe(architecture: str) -> dict[str, Any]:
    weights = get_model_weights(architecture).DEFAULT
    preset = weights.transforms()
    cut = split(build(architecture, 1000))
    size = preset.crop_size[0]
    registration = register(cut, 3, size)
    return {
        "mean": list(preset.mean),
        "std": list(preset.std),
        "input_size": size,
        "layer": cut.module,
        "stride": registration.stride,
        "first_center": registration.first_center,
        "cells": registration.cells,
        "halo": registration.halo,
        "weights": f"torchvision:{Path(weights.url).name}",
    }


def _distinct(names: list[str]) -> list[str]:
    """ImageNet has Cardigan, a dog, and cardigan, a garment: the later one gets its index."""
    seen: set[str] = set()
    distinct = []
    for i, name in enumerate(names):
        distinct.append(f"{name} {i}" if name.casefold() in seen else name)
        seen.add(name.casefold())
    return distinct
