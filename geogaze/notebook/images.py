"""Images as a notebook has them: arrays and tensors of several layouts and types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import InvalidRequest
from geogaze.scaling import unit_range


def pixels_of(
    image: Any,
    bands: int | None,
    *,
    normalised: bool = False,
    rescale: Sequence[tuple[float, float]] | None = None,
) -> NDArray[Any]:
    """An image as (h, w, bands), uint8 or float32.

    Args:
        image: (h, w, bands), (bands, h, w) or (1, bands, h, w), or (h, w) of one band; a tensor is
            read bands first where both would do, an array bands last.
        bands: that the network takes; None where nobody knows, which is taken for 3, or for 1.
        normalised: whether values are what the network takes, in any range.
        rescale: values of each band that become 0 and 1; of any type, then.

    Raises:
        InvalidRequest: another shape or type, values that are not finite or out of range.
    """
    tensor = hasattr(image, "detach")
    array = np.asarray(image.detach().cpu().numpy() if tensor else image)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    known = (bands,) if bands else (3, 1)
    axes = {0, 2} if array.ndim == 3 else set()
    fitting = [axis for axis in axes if array.shape[axis] in known]
    if not fitting or not array.size:
        wanted = bands or 3
        raise InvalidRequest(
            f"An image is (rows, cols, {wanted}) or ({wanted}, rows, cols), not "
            f"{tuple(image.shape)}.{_hint(tuple(image.shape), wanted)}"
        )
    if (min(fitting) if tensor else max(fitting)) == 0:
        array = array.transpose(1, 2, 0)
    if rescale:
        return np.ascontiguousarray(
            unit_range(array.transpose(2, 0, 1), rescale).transpose(1, 2, 0)
        )
    return np.ascontiguousarray(_values(array, normalised=normalised))


def _hint(shape: tuple[int, ...], bands: int) -> str:
    """How an image of another shape becomes one that does."""
    if len(shape) == 4:
        return " Give one image at a time: image[0]."
    if len(shape) == 2 or (len(shape) == 3 and 1 in {shape[0], shape[2]}):
        return f" Repeat its one band: np.stack([band] * {bands}, axis=-1)."
    if len(shape) == 3:
        return f" The network takes {bands} bands: choose them, such as image[..., :{bands}]."
    return ""


def _values(array: NDArray[Any], *, normalised: bool) -> NDArray[Any]:
    if array.dtype == np.uint8 and not normalised:
        return array
    if not (np.issubdtype(array.dtype, np.floating) or normalised):
        raise InvalidRequest(
            f"An image is uint8, or float from 0 to 1, not {array.dtype}: say which of its values "
            "are black and white by scaling it, such as (image / 4095).clip(0, 1)."
        )
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise InvalidRequest("The image holds values that are not finite.")
    low, high = float(array.min()), float(array.max())
    if not normalised and (low < 0 or high > 1):
        raise InvalidRequest(
            f"A float image goes from 0 to 1, not from {low:g} to {high:g}: scale it, or say "
            "normalised=True where it is what the network takes."
        )
    return array


def picture(pixels: NDArray[Any], *, normalised: bool) -> NDArray[np.uint8]:
    """Pixels (h, w, bands) to be shown: (h, w, 3) RGB, of the first three bands or the first."""
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    if normalised:
        low, high = shown.min(), shown.max()
        shown = (shown - low) / ((high - low) or 1)
    scaled: NDArray[np.uint8] = (shown * 255).round().astype(np.uint8)
    return np.ascontiguousarray(scaled)
