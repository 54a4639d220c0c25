"""What a unit leaves of the pictures it has drawn: one segment of bytes for the scene, then one for
each layer, so that a layer is put together from the scene's bytes and its own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geogaze.grid.canvas import Canvas
from geogaze.products.make.drawing import Painted, Picture, Scenery, put_coarser
from geogaze.products.make.encoded import BlockAt, Pyramid

_LENGTH = struct.Struct("<I")


class Segment(NamedTuple):
    """``blocks`` by level and place in the unit, JPEG and mask (a layer's are empty: its masks are
    the scene's); ``half`` is the unit's block at half its resolution (h, w, 3), ``valid`` (h, w).
    """

    blocks: dict[tuple[int, BlockAt], tuple[bytes, bytes]]
    half: NDArray[np.uint8] | None
    valid: NDArray[np.bool_] | None

    def dump(self) -> bytes:
        """As bytes."""
        listed = [
            [level, *place, len(image), len(mask)]
            for (level, place), (image, mask) in self.blocks.items()
        ]
        shapes = [None if part is None else part.shape for part in (self.half, self.valid)]
        about = json.dumps([listed, *shapes]).encode()
        arrays = [part.tobytes() for part in (self.half, self.valid) if part is not None]
        parts = [part for pair in self.blocks.values() for part in pair]
        return b"".join([_LENGTH.pack(len(about)), about, *arrays, *parts])

    @classmethod
    def load(cls, data: bytes) -> Segment:
        """Of its bytes."""
        (length,) = _LENGTH.unpack_from(data)
        at = _LENGTH.size + length
        listed, half_shape, valid_shape = json.loads(data[_LENGTH.size : at])

        def take(count: int) -> bytes:
            nonlocal at
            at += count
            return data[at - count : at]

        half = valid = None
        if half_shape:
            half = np.frombuffer(take(int(np.prod(half_shape))), np.uint8).reshape(half_shape)
        if valid_shape:
            valid = np.frombuffer(take(int(np.prod(valid_shape))), np.bool_).reshape(valid_shape)
        blocks = {
            (level, (row, col)): (take(image), take(mask))
            for level, row, col, image, mask in listed
        }
        return cls(blocks, half, valid)


def scene_segment(scenery: Scenery) -> bytes:
    """The scene's own."""
    return Segment(scenery.encoded(), scenery.half.image, scenery.half.valid).dump()


def layer_segment(painted: Painted) -> bytes:
    """A layer's."""
    blocks = {at: (image, b"") for at, image in painted.blocks.items()}
    return Segment(blocks, painted.half, None).dump()


def put_drawn(pyramid: Pyramid, canvas: Canvas, unit: Callable[[int], Iterable[bytes]]) -> None:
    """Fill a pyramid with what units have drawn of the scene, or of a layer over it, and what is
    coarser than they are.

    Args:
        pyramid: of the canvas.
        canvas: how the picture was divided.
        unit: gives a unit's segments by its number: the scene's, and the layer's if there is one.
    """
    across = -(-canvas.width // canvas.units.side)

    def put(place: BlockAt) -> Picture:
        scene, *over = (Segment.load(data) for data in unit(place[0] * across + place[1]))
        layer = over[0] if over else Segment({}, None, None)
        for (level, (row, col)), (image, mask) in scene.blocks.items():
            own, _ = layer.blocks.get((level, (row, col)), (image, b""))
            finer = canvas.level - level
            pyramid.put(level, ((place[0] << finer) + row, (place[1] << finer) + col), own, mask)
        assert scene.half is not None
        assert scene.valid is not None
        return Picture(scene.half if layer.half is None else layer.half, scene.valid)

    put_coarser(pyramid, canvas.level, put)
