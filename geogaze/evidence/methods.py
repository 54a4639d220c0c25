"""The implementations of the methods, found through their table."""

from __future__ import annotations

from geogaze.doors import resolve
from geogaze.evidence.attention.method import AttentionMethod
from geogaze.evidence.cams.cam import Cam
from geogaze.evidence.pixels.method import PixelMethod
from geogaze.models.methods import METHODS


def load_methods() -> None:
    """Import all methods, so that one that is missing shows before there is any work.

    Raises:
        LookupError: the table names what is not there, or not of the kind it says.
    """
    for method in METHODS.values():
        kind = type(resolve(method.implementation))
        expected: type = AttentionMethod if method.of_attention else Cam
        if method.per_pixel:
            expected = PixelMethod
        if kind is not expected:
            raise LookupError(
                f"The method {method.name!r} is to be a {expected.__name__}, but "
                f"{method.implementation} is a {kind.__name__}."
            )
