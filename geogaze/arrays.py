"""NumPy's files, read by one thread at a time.

The head of each array in them is parsed as Python, and CPython 3.11 counts how deep it is for all
threads together: parsing in two at once it raises SystemError now and then ("AST constructor
recursion depth mismatch", gh-106905).
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_PARSING = threading.Lock()


def unpacked(
    data: bytes, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz`` by name, those that are wanted.

    Raises:
        ValueError, EOFError, zipfile.BadZipFile: it is none, or damaged.
    """
    with _PARSING, np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays if wanted(name)}


def next_array(file: IO[bytes]) -> NDArray[Any]:
    """The array that an open file goes on with, as ``np.save`` wrote it.

    Raises:
        ValueError, EOFError: there is none, or it is damaged.
    """
    with _PARSING:
        array: NDArray[Any] = np.load(file, allow_pickle=False)
        return array
