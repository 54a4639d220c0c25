"""What figures of classes in a tile are called: here alone, so that all that tells them agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from geogaze.models.bundles import Rule


class Sureness(NamedTuple):
    """The names of a kind of figure, 0..1.

    ``name`` is that in columns, properties and JSON, ``column`` how the column of a class begins,
    ``words`` what people read, and ``highest`` that before the highest one.
    """

    name: str
    column: str
    words: str
    highest: str


_PROBABILITY = Sureness("probability", "p", "probability", "highest probability")
_SHARE = Sureness("share", "share", "share of pixels", "largest share of pixels")


def sureness(rule: Rule) -> Sureness:
    """What the figures of a model are called: shares where it labels pixels."""
    return _SHARE if rule == "shares" else _PROBABILITY


def sureness_in(assets: Iterable[Mapping[str, Any]]) -> Sureness:
    """What a finished job's are called, by the assets of its STAC Item."""
    shares = any(f"geogaze:highest_{_SHARE.name}" in about for about in assets)
    return _SHARE if shares else _PROBABILITY
