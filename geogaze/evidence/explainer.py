"""What workers ask of an engine, whichever runs the network. No torch here."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geogaze.evidence.results import BatchResult
from geogaze.models.bundles import Bundle
from geogaze.models.targets import Target

Corner = tuple[int, int]
"""Row and column of a tile's first pixel in its window."""


class Explainer(Protocol):
    """One bundle, loaded. Threads share it; one at a time explains."""

    bundle: Bundle

    @property
    def ran(self) -> dict[str, Any]:
        """What runs the network: ``runtime``, ``precision``, ``agreement`` of lower ones if any."""
        ...

    def prepare(
        self,
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        rescale: Sequence[tuple[float, float]],
    ) -> Any:
        """A window, normalised; any thread may ask, whoever explains.

        Args:
            values: (bands, H, W), any real dtype.
            valid: (H, W), or (bands, H, W); what is not becomes 0, the mean.
            rescale: values that become 0 and 1, one pair, or one for each band.

        Raises:
            HostOutOfMemory: so large a window does not fit beside the network; half of it may.
            DeviceBroke: the device failed.
        """
        ...

    def explain_tiles(
        self,
        window: Any,
        corners: Sequence[Corner],
        targets: Sequence[Target] | None,
        method: str = "gradcam",
    ) -> Generator[BatchResult]:
        """Logits and maps of tiles of a window, batch by batch, in order.

        Args:
            window: from :meth:`prepare`.
            corners: n tiles inside the window.
            targets: K scores, or None for each tile's own best class.
            method: a key of :data:`geogaze.models.methods.METHODS`.

        Raises:
            OutOfMemory: not even one tile fits.
        """
        ...


@runtime_checkable
class SharesTrunk(Protocol):
    """An engine whose tiles may share one run of the trunk, as scene context wants it."""

    def explain_shared(
        self,
        window: Any,
        corners: Sequence[Corner],
        targets: Sequence[Target] | None,
        method: str = "gradcam",
    ) -> Generator[BatchResult]:
        """As :meth:`Explainer.explain_tiles`, but the trunk runs once over the window, which has
        the bundle's halo (pixels) around all tiles; these lie at whole strides from each other.
        """
        ...


@runtime_checkable
class LabelsPixels(Protocol):
    """An engine that can run networks which label pixels, and ask about some of the pixels."""

    def within(self, places: NDArray[np.bool_]) -> AbstractContextManager[None]:
        """Meanwhile a class's score in a tile is the sum of its logits over these pixels of it.

        Args:
            places: (T, T) of a tile, whatever is predicted there; at least one.
        """
        ...
