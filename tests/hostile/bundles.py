"""Hostile bundles: weights that lie, run code or lie elsewhere, and descriptions that are none."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geogaze.models.registry import find_bundle
from geogaze.networks.loading import load_model

CANARY = "ran"


class Runs:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, (CANARY,)


def described(folder: Path, **changes: Any) -> None:
    """Let the description say otherwise of its properties."""
    path = folder / "item.json"
    item = json.loads(path.read_text())
    item["properties"] |= changes
    path.write_text(json.dumps(item))


def weights(data: bytes, *, told: bool = True) -> Callable[[Path], None]:
    """Other weights, whose checksum is right where that is told."""

    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors").write_bytes(data)
        if told:
            described(folder, **{"geogaze:sha256": hashlib.sha256(data).hexdigest()})

    return change


def header(said: Any, *, size: int | None = None, body: bytes = b"") -> bytes:
    """A safetensors file of a header."""
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def tensor(*shape: int, to: int = 4, start: int = 0, dtype: str = "F32") -> Any:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, to]}


def linked(folder: Path) -> None:
    """Weights that lie elsewhere; their checksum is not what the description says."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("/etc/passwd")


def item(data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "item.json").write_bytes(data) and None


BUNDLES: dict[str, Callable[[Path], None]] = {
    "weights of another checksum": weights(b"other", told=False),
    "weights that are a pickle": weights(pickle.dumps(Runs())),
    "weights of no bytes": weights(b""),
    "a header of 2⁶³ bytes": weights(header({}, size=2**63)),
    "a header longer than the file": weights(header({}, size=1000)),
    "a header that is no JSON": weights(header(b"{'a'")),
    "a header nested 100,000 deep": weights(header(b'{"a":' * 100_000)),
    "a tensor of 2⁶⁰ numbers": weights(header({"a": tensor(2**60)}, body=bytes(4))),
    "a tensor behind the file's end": weights(header({"a": tensor(1, to=2**40)}, body=bytes(4))),
    "a tensor that ends before it starts": weights(
        header({"a": tensor(1, start=4, to=0)}, body=bytes(4))
    ),
    "two tensors in one place": weights(header({"a": tensor(1), "b": tensor(1)}, body=bytes(4))),
    "a tensor of a negative shape": weights(header({"a": tensor(-1)}, body=bytes(4))),
    "a tensor of an unknown kind": weights(header({"a": tensor(1, dtype="X9")}, body=bytes(4))),
    "tensors of another network": weights(header({"a": tensor(1)}, body=bytes(4))),
    "weights that are a link to elsewhere": linked,
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "a description nested 100,000 deep": item(b'{"a":' * 100_000),
    "a description that is no text": item(b"\xff\xfe\0"),
    "a description of a list": item(b"[]"),
    "an architecture that is code": lambda f: described(
        f, **{"mlm:architecture": "__import__('os').system('true')"}
    ),
    "an architecture that is a path": lambda f: described(
        f, **{"mlm:architecture": "../../../etc/passwd"}
    ),
    "a stride of NaN": lambda f: described(f, **{"geogaze:stride": float("nan")}),
}


def use(folder: Path) -> None:
    """Describe a bundle and load its network, as a worker does."""
    load_model(find_bundle(folder.name, [folder.parent]))
