"""World files: six numbers beside a picture, which say where its pixels lie in some CRS."""

from __future__ import annotations

import math

from affine import Affine

from geogaze.errors import SceneUnreadable, SceneUnusable
from geogaze.scene.source import Source

_MOST_BYTES = 4096


def affine_beside(source: Source) -> Affine | None:
    """The affine (col, row corners to a CRS) of a picture's world file; None where there is none.

    Looked for are the names that others give one: of ``port.png`` ``port.pgw``, ``port.pngw`` and
    ``port.wld``.

    Args:
        source: the picture.

    Raises:
        SceneUnusable: the world file has no six numbers.
        SceneAway: the host does not answer.
    """
    if "?" in source.uri:  # a signature is for one address
        return None
    for uri in _names(source.uri):
        try:
            text = source.other(uri).start_of(_MOST_BYTES)
        except SceneUnreadable:
            continue
        return _parsed(uri, text)
    return None


def _names(uri: str) -> list[str]:
    stem, dot, suffix = uri.rpartition(".")
    if not dot or "/" in suffix or len(suffix) < 2:
        return []
    short = f"{suffix[0]}{suffix[-1]}w"
    names = [short, f"{suffix}w", "wld"]
    return [f"{stem}.{name.upper() if suffix.isupper() else name}" for name in names]


def _parsed(uri: str, data: bytes) -> Affine:
    try:
        numbers = [float(word) for word in data.decode("ascii").split()]
    except ValueError as error:
        raise SceneUnusable(f"{uri!r} is no world file: {error}") from error
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise SceneUnusable(f"{uri!r} is no world file: it has not six numbers.")
    a, d, b, e, x, y = numbers
    # A world file places the middle of the first pixel.
    return Affine(a, b, x, d, e, y) @ Affine.translation(-0.5, -0.5)
