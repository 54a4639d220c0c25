"""What any scene can be asked once it is open, whatever it is stored as.

A format is a class of its own beside this file and a line in :mod:`geogaze.scene.readers`. What
all formats share (windows that reach past the scene, other resolutions, damaged blocks) is
:class:`geogaze.scene.view.SceneView`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import product
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import SceneUnreachable, SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.scene.info import SceneInfo
from geogaze.scene.source import check_version

FloatBox = tuple[float, float, float, float]
"""Row0, col0, row1, col1, which may lie inside pixels."""


class PartUnread(Exception):
    """A part of a scene could not be read; the text says why. Another part may be well."""


class Block(NamedTuple):
    """Pixels of a scene that are stored together, so that they are damaged together.

    ``name`` is for messages; ``box`` has the scene's pixels.
    """

    name: str
    box: Box


def blocks_at(box: Box, block: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Row and column of the blocks of one shape (h, w) that a box touches, row by row."""
    rows = range(box[0] // block[0], math.ceil(box[2] / block[0]))
    cols = range(box[1] // block[1], math.ceil(box[3] / block[1]))
    return product(rows, cols)


class Values(NamedTuple):
    """What was read: ``values`` (bands, h, w) in the scene's dtype, and ``known`` (bands, h, w),
    where they are data.
    """

    values: NDArray[Any]
    known: NDArray[np.bool_]


class SceneReader(ABC):
    """One open scene, which may be a file, several, or none at all.

    At the end of a ``with`` block it is closed, and must still have the version that it was opened
    with.

    Args:
        uri: as the user named it.
        version: changes with the content, as far as the store can tell; None if it cannot.
    """

    def __init__(self, uri: str, version: str | None) -> None:
        self.uri = uri
        self.version = version

    @abstractmethod
    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        """Check the scene and say what must be known to plan a job on it.

        Args:
            band_names: the model's bands, in order.
            bands: the scene's bands (from 1) for them, or None to choose.
            rescale: one (low, high) for all bands or one for each, or None to choose.

        Raises:
            SceneUnusable: it lies nowhere, is empty, or has other bands than are wanted.
            SceneUnreadable: what must be looked at cannot be read.
            SceneUnreachable: the same of a remote scene.
        """

    @abstractmethod
    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        """Read a box of the scene's own pixels, all of them inside it, at ``shape`` (h, w) pixels.

        Args:
            bands: from 1, in the order wanted.
            box: in the scene's own pixels.
            shape: where it is not the box's, pixels are averaged or interpolated.

        Raises:
            PartUnread: the box cannot be read.
        """

    @abstractmethod
    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        """The blocks that a box of the scene's own pixels touches, so that damage can be told
        apart from what is well.
        """

    @abstractmethod
    def version_now(self) -> str | None:
        """The version that lies there now.

        Raises:
            SceneUnreadable: it is gone.
            SceneAway: its host or store does not answer.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        # Of a store that is away, or of a scene that was replaced, no block is to blame.
        failed = isinstance(error, (PartUnread, SceneUnreadable, SceneUnreachable))
        if failed or (error is None and self.version):
            check_version(self.uri, self.version, self.version_now())


def fault_of(*, remote: bool) -> str:
    """What is wrong with a part that cannot be read."""
    return "could not be fetched" if remote else "is damaged"


def unread(what: str, error: Exception, *, remote: bool) -> SceneUnreadable | SceneUnreachable:
    """A failed read as an error for the user; of a remote scene it may come the next time.

    Args:
        what: the part of it, at the start of a sentence.
        error: why.
        remote: whether the scene, or a piece of it, is.
    """
    kind = SceneUnreachable if remote else SceneUnreadable
    return kind(f"{what} {fault_of(remote=remote)}: {error}")
