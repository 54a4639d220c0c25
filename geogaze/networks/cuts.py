"""Where a classifier is cut in two: where its family says, or at a layer that is named."""

from __future__ import annotations

from torch import nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.networks.captured import Captured
from geogaze.networks.families import FAMILIES
from geogaze.networks.layouts import AsMaps, maps
from geogaze.networks.programs.cutting import split_program, step_named
from geogaze.networks.programs.program import Program
from geogaze.networks.split import Split
from geogaze.networks.timm_cuts import cut_of_timm, of_timm
from geogaze.networks.words import INSIDE, Worded


def cut_at(model: nn.Module, layer: str | None = None, as_maps: AsMaps = maps) -> Split | Captured:
    """Cut a classifier at a layer.

    Args:
        model: the network.
        layer: a module's name; None for behind the last convolutional feature map.
        as_maps: how maps are made of what the named layer gives, where that is not the cut that
            the network's family, or the network itself, knows.

    Raises:
        UnsupportedArchitecture: there is no such layer, or, without one, the family is unknown.
    """
    if isinstance(model, Worded):
        inside = layer.removeprefix(INSIDE) if layer else layer
        return model.cut(cut_at(model.network, inside, as_maps))
    at = layer
    if layer is not None and isinstance(model, Program):
        at = step_named(model, layer)
    try:
        natural = cut_of_timm(model) if of_timm(model) else split(model)
    except UnsupportedArchitecture:
        if at is None:
            raise
        return Captured(model, at, as_maps)
    return natural if at is None or layer == natural.module else Captured(model, at, as_maps)


def split(model: nn.Module) -> Split | Captured:
    """Cut a classifier behind its last convolutional feature map, or where it says itself.

    A network says so by its attributes ``trunk`` and ``head``, and ``as_maps`` where the trunk does
    not give maps.

    Raises:
        UnsupportedArchitecture: the family is unknown.
    """
    if isinstance(model, Program):
        return split_program(model)
    families = {kind: family for family in FAMILIES for kind in family.types}
    for kind in type(model).__mro__:
        if kind in families:
            return families[kind].split(model)
    # Not isinstance of the protocol, which from Python 3.12 on overlooks submodules.
    trunk, head = (getattr(model, name, None) for name in ("trunk", "head"))
    if isinstance(trunk, nn.Module) and isinstance(head, nn.Module):
        return Split(trunk, head, "trunk", getattr(model, "as_maps", maps))
    raise UnsupportedArchitecture(
        f"{type(model).__name__} has no known cut between features and classifier. Name a layer, "
        "or give it the attributes trunk and head."
    )
