"""A sample of a scene's values, of bounded size, whatever the scene is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Interleaving, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geogaze.errors import SceneUnusable
from geogaze.scene.asking import Asking
from geogaze.scene.reader import PartUnread
from geogaze.scene.validity import alpha_bands, known_bands

_LOOK = 1024  # pixels per side of a decimated read
_PARTS = 16  # along each side, of a scene that cannot be read as a whole
_BUDGET = 48 * 2**20  # bytes of blocks decoded: half a second, not a matter of the scene's size
_MOST_BLOCKS = 2048
_MOST_PROBES = 8192  # blocks asked whether they are stored at all
_MOST_VALUES = 2**20  # of a band; more tell percentiles no better

Samples = list[NDArray[Any]]
"""Valid values of each band, one array (n,) per band."""


def sample_values(dataset: DatasetReader, asking: Asking, bands: Sequence[int]) -> Samples:
    """Valid values of each band: from overviews, or where there are none from blocks spread over
    the scene. Reads no more of a large scene than of a small one.

    Raises:
        SceneUnusable: no valid pixel was found.
        SceneUnreadable: nothing could be read.
        SceneUnreachable: nothing of a remote scene came.
    """
    try:
        samples = _sample(dataset, asking, bands)
    except PartUnread as error:
        raise asking.error(repr(asking.uri), error) from error
    return [values[:: math.ceil(len(values) / _MOST_VALUES) or 1] for values in samples]


def refuse_empty(dataset: DatasetReader, asking: Asking, bands: Sequence[int]) -> None:
    """Look for one valid pixel, where any may be missing; one block has it, as a rule.

    A scene too large to be looked at as a whole, or one with damaged blocks, is left to the job.

    Raises:
        SceneUnusable: every block was looked at, and no pixel is valid.
    """
    if not _may_lack_pixels(dataset, bands):
        return
    blocks = _Blocks(dataset, asking, bands)
    if (
        not any(any(map(len, samples)) for samples in blocks)
        and blocks.all_seen
        and not blocks.damage
    ):
        raise _empty(asking.uri)


def _may_lack_pixels(dataset: DatasetReader, bands: Sequence[int]) -> bool:
    return bool(alpha_bands(dataset)) or any(
        np.dtype(dataset.dtypes[band - 1]).kind == "f"
        or MaskFlags.all_valid not in dataset.mask_flag_enums[band - 1]
        for band in bands
    )


def _empty(uri: str) -> SceneUnusable:
    return SceneUnusable(f"{uri!r} is empty: not one of its pixels is valid.")


def _sample(dataset: DatasetReader, asking: Asking, bands: Sequence[int]) -> Samples:
    shrink = max(1.0, max(dataset.width, dataset.height) / _LOOK)
    damage: PartUnread | None = None
    if _decimated_bytes(dataset, bands, shrink) <= _BUDGET:
        whole = Window(0, 0, dataset.width, dataset.height)
        try:
            samples = _read(dataset, asking, bands, whole, _LOOK)
        except PartUnread as error:
            damage = error  # of one block, perhaps: the job decides what becomes of it
            samples = _pooled(_readable(dataset, asking, bands))
        if any(map(len, samples)):
            return samples
    # Few valid pixels slip through a decimated read.
    blocks = _Blocks(dataset, asking, bands)
    samples = _pooled(blocks)
    if any(map(len, samples)):
        return samples
    if damage := blocks.damage or damage:
        raise damage
    if blocks.all_seen:
        raise _empty(asking.uri)
    raise SceneUnusable(
        f"{asking.uri!r} has no valid pixel in the {blocks.read:,} of {blocks.total:,} blocks that "
        "were looked at, so nothing tells how to scale its values. Say it yourself: "
        "--rescale LO,HI."
    )


def decoded_bands(dataset: DatasetReader, bands: Sequence[int]) -> int:
    """How many bands GDAL decodes to read some: all where they lie pixel by pixel.

    JPEG 2000 is not asked: they always do, and GDAL looks for the answer without end in a file
    whose boxes lead back to their start.
    """
    if dataset.driver != "JP2OpenJPEG" and dataset.interleaving is Interleaving.band:
        return len(set(bands))
    return int(dataset.count)


def _decimated_bytes(dataset: DatasetReader, bands: Sequence[int], shrink: float) -> float:
    """What a decimated read decodes: of the overview that GDAL takes, or of the scene itself."""
    fitting = [factor for factor in dataset.overviews(bands[0]) if factor <= shrink]
    pixels: float = dataset.width * dataset.height / max(fitting, default=1) ** 2
    return pixels * _item_bytes(dataset) * decoded_bands(dataset, bands)


def _item_bytes(dataset: DatasetReader) -> int:
    return int(np.dtype(dataset.dtypes[0]).itemsize)


def _read(
    dataset: DatasetReader, asking: Asking, bands: Sequence[int], window: Window, side: int
) -> Samples:
    """Valid values of a window in at most ``side`` × ``side`` pixels."""
    shrink = max(1.0, max(window.width, window.height) / side)
    shape = (max(1, int(window.height / shrink)), max(1, int(window.width / shrink)))
    with asking.read():
        values = dataset.read(list(bands), window=window, out_shape=(len(bands), *shape))
        known = known_bands(dataset, bands, values, window, shape)
    return [band[where] for band, where in zip(values, known, strict=True)]


def _pooled(pieces: Iterable[Samples]) -> Samples:
    return [np.concatenate(values) for values in zip(*pieces, strict=True)]


def _readable(dataset: DatasetReader, asking: Asking, bands: Sequence[int]) -> Iterator[Samples]:
    """A decimated read in parts, of those that can be read."""
    height, width = dataset.height / _PARTS, dataset.width / _PARTS
    for row, col in product(range(_PARTS), repeat=2):
        with suppress(PartUnread):
            part = Window(col * width, row * height, width, height)
            yield _read(dataset, asking, bands, part, _LOOK // _PARTS)


class _Blocks:
    """The valid values of internal blocks, spread over the scene, until the budget is spent."""

    def __init__(self, dataset: DatasetReader, asking: Asking, bands: Sequence[int]) -> None:
        self._dataset = dataset
        self._asking = asking
        self._bands = bands
        self._height, self._width = dataset.block_shapes[bands[0] - 1]
        self._cols = math.ceil(dataset.width / self._width)
        self.total = self._cols * math.ceil(dataset.height / self._height)
        size = self._height * self._width * _item_bytes(dataset) * decoded_bands(dataset, bands)
        self._most = max(1, min(_MOST_BLOCKS, _BUDGET // size))
        self.read = 0
        self.all_seen = False
        self.damage: PartUnread | None = None

    def __iter__(self) -> Iterator[Samples]:
        for probe, (row, col) in enumerate(self._spread()):
            if self.read >= self._most or probe >= _MOST_PROBES:
                return
            if self._left_out(row, col):
                continue
            self.read += 1
            top, left = row * self._height, col * self._width
            height = min(self._height, self._dataset.height - top)
            width = min(self._width, self._dataset.width - left)
            block = Window(left, top, width, height)
            try:
                yield _read(self._dataset, self._asking, self._bands, block, _LOOK)
            except PartUnread as error:
                self.damage = error
        self.all_seen = True

    def _spread(self) -> Iterator[tuple[int, int]]:
        """Every block once (row, column), the first ones far apart: steps of the golden ratio."""
        step = max(1, round(self.total * (math.sqrt(5) - 1) / 2))
        while math.gcd(step, self.total) > 1:
            step += 1
        return (divmod(i * step % self.total, self._cols) for i in range(self.total))

    def _left_out(self, row: int, col: int) -> bool:
        """Whether a sparse file leaves the block out, so that it is all nodata."""
        band = self._bands[0]
        if self._dataset.nodatavals[band - 1] is None:
            return False
        place = f"BLOCK_OFFSET_{col}_{row}"
        return self._dataset.get_tag_item(place, "TIFF", bidx=band) is None
