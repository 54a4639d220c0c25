"""Checkpoints: a network's tensors out of what trainers write around them, and no code is run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self
from zipfile import is_zipfile

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from geogaze.errors import GeogazeError, InvalidRequest
from geogaze.networks.programs.archive import SUFFIX, read_program

State = dict[str, Tensor]
"""Tensors by their names in a network."""

_AROUND = (
    *("state_dict", "model_state_dict", "model", "network", "net", "module"),
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema"),
    *("checkpoint", "weights", "params"),
)
"""What state dicts lie under. Of trained weights and their moving average, the former come first:
whoever wants the average saves it alone.
"""
_COMPILED = "_orig_mod."  # of torch.compile, before the name of whatever was compiled
_PREFIXES = (
    *("module.", "model.", "net.", "network."),  # of DataParallel, SWA, and Lightning modules
    *("ema_model.", "ema.", "online_model."),  # of moving averages
)
_COUNTERS = ("n_averaged", "initted", "step", "num_updates", "decay")
"""Of SWA and moving averages: how many models they averaged, and how."""


class _Inert:
    """Stands for an object of a checkpoint that is no tensor: it can be made, and does nothing."""

    def __new__(cls, *_args: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_args: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


class _Keyed:
    """Likewise, for what may be filled by keys, as Lightning's hyper-parameters are."""

    def __new__(cls, *_args: Any) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


def read_checkpoint(path: Path) -> State:
    """A state dict from a ``.safetensors`` or a pickled checkpoint, loaded without executing it.

    Of what a trainer wrote the part that is a state dict is taken; counters, hyper-parameters and
    objects of other packages beside it are passed over.

    Raises:
        InvalidRequest: the file is missing, or nothing in it is a state dict.
    """
    try:
        content = _content(path)
    except GeogazeError:  # of a program
        raise
    except UnpicklingError as error:  # torch's advice is to execute it
        raise InvalidRequest(
            f"{path} holds more than tensors, or is no checkpoint, and is not executed to see. "
            "Save the model's state_dict() with torch.save, or as .safetensors."
        ) from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # of whatever kind: it is torch that reads
        raise InvalidRequest(
            f"{path} is no checkpoint, or not all of it is there: it is neither .safetensors nor "
            "what torch.save writes."
        ) from error
    state = _innermost(content)
    if state is None:
        raise InvalidRequest(
            f"{path} holds no state dict, or more than tensors in it; save the model's "
            "state_dict()."
        )
    return {name.replace(_COMPILED, ""): value for name, value in state.items()}


def _content(path: Path) -> Any:
    if path.suffix == SUFFIX:
        return read_program(path).state
    return load_file(path) if path.suffix == ".safetensors" else _unpickled(path)


def _unpickled(path: Path) -> Any:
    """What torch.save wrote, where objects that torch does not know are inert."""
    if not path.is_file():
        raise FileNotFoundError(2, "no such file")
    # Files from before torch 1.6 are no archives: of those nothing is known before they are read.
    unknown = get_unsafe_globals_in_checkpoint(path) if is_zipfile(path) else []
    with safe_globals([(_stand_in(name), name) for name in unknown]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _stand_in(name: str) -> type:
    """For a class or function of a package; numpy's objects are given states of other forms."""
    return _Inert if name.startswith("numpy.") else _Keyed


def _innermost(content: Any) -> State | None:
    """The state dict in a checkpoint, wherever it lies; None where there is none."""
    while isinstance(content, Mapping):
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return {str(name): value for name, value in content.items()}
        around = [content[name] for name in _AROUND if isinstance(content.get(name), Mapping)]
        content = around[0] if around else None
    return None


def fitted(state: Mapping[str, Tensor], wanted: Collection[str]) -> State:
    """A state dict by the names of a network's own, as far as wrappers changed them.

    A prefix (``module.``, ``model.``, ``net.``) is taken off where no name fits with it; what lies
    beside it (a loss's weights, a metric's counters) is left out.

    Args:
        state: from :func:`read_checkpoint`.
        wanted: names in the network's own state dict.
    """
    own = set(wanted)
    found = {name: value for name, value in state.items() if name not in _COUNTERS or name in own}
    while not own & found.keys():
        inside = [_within(found, prefix) for prefix in _PREFIXES]
        # Of a trainer with two networks, the one that is most like ours.
        likest = max(inside, key=lambda part: (len(own & part.keys()), len(part)))
        if not likest:
            break
        found = likest
    return found


def _within(state: Mapping[str, Tensor], prefix: str) -> State:
    return {n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)}
