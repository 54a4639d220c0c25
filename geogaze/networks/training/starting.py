"""What training starts from, and which parts of the network it changes."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.models.versions import parse_model
from geogaze.networks.architectures import build
from geogaze.networks.checkpoints import fitted, read_checkpoint
from geogaze.networks.cuts import cut_at
from geogaze.networks.split import Split
from geogaze.networks.training.recipe import Depth, Recipe

_FEWEST = 4  # blocks of which the last quarter is told apart


def initial(recipe: Recipe, classes: int) -> nn.Module:
    """The network before training, its last layer drawn anew.

    Raises:
        InvalidRequest: what it is to start from is of another architecture.
    """
    model = build(recipe.architecture, classes, len(recipe.bands), initialise=True)
    if recipe.init == "random":
        return model
    start, registered = Path(recipe.init), parse_model(recipe.init)
    has_reference = registered is not None and registered.reference is not None
    if start.is_file() or (start.suffix and not start.is_dir() and not has_reference):
        state = fitted(read_checkpoint(start), model.state_dict())
    else:
        from geogaze.models.registry import find_model
        from geogaze.networks.loading import load_model

        name = recipe.architecture if recipe.init == "imagenet" else recipe.init
        state = load_model(find_model(name, get_settings(), allow_path=True)).state_dict()
    own = model.state_dict()
    state |= _spread_over(state, own)
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if len(fitting) < len(own) // 2:
        raise InvalidRequest(
            f"Only {len(fitting)} of {len(own)} tensors in {recipe.init!r} fit "
            f"{recipe.architecture!r}; is it a checkpoint of another architecture?"
        )
    model.load_state_dict(fitting, strict=False)
    return model


def last_layer(model: nn.Module) -> nn.Module:
    """The layer that gives the logits."""
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    linear = [m for m in layers if isinstance(m, nn.Linear)]
    return (linear or layers)[-1]


def trained_beside(model: nn.Module, depth: Depth) -> list[nn.Parameter]:
    """The parameters before the last layer that training changes.

    Of ``last`` those of the last quarter of the trunk's blocks and of what follows the trunk.
    """
    last = {id(parameter) for parameter in last_layer(model).parameters()}
    others = [parameter for parameter in model.parameters() if id(parameter) not in last]
    if depth == "full":
        return others
    if depth == "frozen":
        return []
    cut = cut_at(model)
    blocks = _blocks(cut.trunk if isinstance(cut, Split) else model)
    while len(blocks) < _FEWEST and any(_parts(block) for block in blocks):
        blocks = [part for block in blocks for part in _parts(block) or [block]]
    kept = blocks[: len(blocks) - max(1, round(len(blocks) / 4))]
    early = {id(parameter) for block in kept for parameter in block.parameters()}
    return [parameter for parameter in others if id(parameter) not in early]


def _blocks(trunk: nn.Module) -> list[nn.Module]:
    """What a trunk is made of, in order, each with parameters: a residual block, a convolution."""
    if isinstance(trunk, nn.Sequential):
        return [block for child in trunk for block in _blocks(child)]
    if any(True for _ in trunk.parameters()):
        return [trunk]
    return []


def _parts(block: nn.Module) -> list[nn.Module]:
    return [part for child in block.children() for part in _blocks(child)]


def _spread_over(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """A first layer for other bands than a checkpoint's: each band is taken for their mean."""
    return {
        name: value.float().mean(dim=1, keepdim=True).expand_as(own[name])
        * (value.shape[1] / own[name].shape[1])
        for name, value in state.items()
        if name in own
        and value.ndim == own[name].ndim == 4
        and value.shape[1] in {1, 3}
        and value.shape[1] != own[name].shape[1]
        and (value.shape[0], *value.shape[2:]) == (own[name].shape[0], *own[name].shape[2:])
    }
