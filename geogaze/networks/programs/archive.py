"""Programs of ``torch.export`` (``.pt2``), read as the numbers and names that they are.

``torch.export.load`` unpickles weights, evaluates expressions and looks functions up by any name
that a file says. So a file is read here instead: a zip archive of JSON and raw numbers, of which
nothing is called but operators of ATen, see :mod:`geogaze.networks.programs.operators`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.networks.programs.operators import DTYPES
from geogaze.networks.programs.steps import Recorded, recorded

SUFFIX = ".pt2"

_MODEL = re.compile(r"((?:[^/]+/)?)models/([^/]+)\.json")
_KINDS = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}


class Read(NamedTuple):
    """What a file holds: its steps, and their tensors by the names of the network's state."""

    steps: Recorded
    state: dict[str, Tensor]


def read_program(path: Path) -> Read:
    """A program and its tensors.

    Raises:
        InvalidRequest: the file cannot be read, is none of ``torch.export``, or holds pickles.
        UnsupportedArchitecture: the program takes or does what is not known here.
    """
    try:
        with ZipFile(path) as archive:
            return _read(path, archive)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error
    except (BadZipFile, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise InvalidRequest(
            f"{path} is no program of torch.export, or not all of it is there: save it anew with "
            f"torch.export.save."
        ) from error


def _read(path: Path, archive: ZipFile) -> Read:
    names = archive.namelist()
    found = [match for name in names if (match := _MODEL.fullmatch(name))]
    if len(found) != 1:
        raise InvalidRequest(_none_in(path, names, len(found)))
    root, model = found[0].groups()
    program = json.loads(archive.read(found[0].string))
    state: dict[str, Tensor] = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        config = f"{root}data/{folder}/{model}_{kind}_config.json"
        entries = json.loads(archive.read(config))["config"] if config in names else {}
        for name, about in entries.items():
            if about["use_pickle"]:
                raise InvalidRequest(
                    f"{path} holds {name!r} as a pickle, which is not read, as it may run "
                    "anything: give the module plain tensors and export it again, or save its "
                    "state_dict() and import that with --arch."
                )
            data = archive.read(f"{root}data/{folder}/{about['path_name']}")
            state[name] = _tensor(data, about["tensor_meta"])
    inputs = program["graph_module"]["signature"]["input_specs"]
    wanted = _stored(inputs)
    return Read(recorded(program, wanted), {name: state[name] for name in wanted.values()})


def _none_in(path: Path, names: Iterable[str], models: int) -> str:
    if models:
        return f"{path} holds {models} programs: save one alone with torch.export.save."
    if "serialized_exported_program.json" in {Path(name).name for name in names}:
        return (
            f"{path} was saved by a torch before 2.8: load it there, and save the network anew "
            "with a later one, or save its state_dict() and import that with --arch."
        )
    return (
        f"{path} holds no program of torch.export (a compiled package has none): save one with "
        "torch.export.save."
    )


def _stored(inputs: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What a graph calls the network's tensors: the names of its state."""
    found = {}
    for spec in inputs:
        ((kind, about),) = spec.items()
        if kind in _KINDS:
            found[about["arg"]["name"]] = about[_KINDS[kind]]
        elif kind not in {"user_input", "constant_input"}:
            raise UnsupportedArchitecture(
                f"The program takes a {kind.replace('_', ' ')}, which is not known here: import "
                "its state_dict() with --arch."
            )
    return found


def _tensor(data: bytes, about: dict[str, Any]) -> Tensor:
    """Numbers as they lie in a file, as a tensor."""
    dtype = DTYPES[about["dtype"]]
    shape, strides = ([int(n["as_int"]) for n in about[key]] for key in ("sizes", "strides"))
    if not data or 0 in shape:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(bytearray(data), dtype=dtype)
    # Its bounds are checked by torch.
    return flat.as_strided(shape, strides, int(about["storage_offset"]["as_int"])).clone()
