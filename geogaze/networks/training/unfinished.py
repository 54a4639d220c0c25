"""What is kept of a training between its epochs, so that one that was interrupted goes on.

A folder beside the bundle's that is to be, which goes once that is written. It is of one recipe and
one set of images: what another left there is of no use, and is replaced.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from geogaze.errors import InvalidRequest

_STATE = "state.pt"


class Unfinished:
    """The state of a training on disk: plain values and tensors, whole or not at all."""

    def __init__(self, out: Path, said: Mapping[str, Any]) -> None:
        """Of the training of the bundle ``out``; ``said`` is all that decides what comes out."""
        self.folder = out.resolve().parent / f".{out.resolve().name}-unfinished"
        text = json.dumps(said, sort_keys=True, default=str)
        self._of = hashlib.sha256(text.encode()).hexdigest()

    def read(self) -> dict[str, Any] | None:
        """What was kept last; None where nothing was, or by another recipe or of other images."""
        path = self.folder / _STATE
        if not path.is_file():
            return None
        try:
            # Nothing in it is executed.
            kept: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
            raise InvalidRequest(
                f"{path}, of an interrupted training, cannot be read: remove its folder to begin "
                "anew."
            ) from error
        return kept if kept.get("of") == self._of else None

    def keep(self, state: Mapping[str, Any]) -> None:
        """Replace what was kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{_STATE}.draft"
        torch.save({**state, "of": self._of}, draft)
        draft.replace(self.folder / _STATE)

    def drop(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)
