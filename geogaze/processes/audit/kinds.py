"""What is known of scenes: which polygons are objects, and which other kinds of ground are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geogaze.errors import InvalidRequest
from geogaze.scene.areas import parted

Document = dict[str, Any]

OBJECTS, REST = "objects", "the rest"
_TAKEN = {OBJECTS, REST, "bias", "logit", "residual"}  # by the lines of a balance sheet
_MOST = 40  # kinds: a page and a table can tell no more of them apart


@dataclass(frozen=True)
class Truth:
    """What is known of a scene: GeoJSON of its objects, and of other kinds of ground by name.

    With ``by``, the features of ``objects`` are told apart by that property: those whose value is
    the class are objects, each other value is another kind of ground. ``file`` is what messages
    call them.
    """

    file: str
    objects: Document
    covers: Mapping[str, Document]
    by: str | None = None


def kinds_of(
    truths: Sequence[Truth], target: str
) -> tuple[tuple[str, ...], list[dict[str, Document | None]]]:
    """The kinds of ground of some scenes, and of each scene its polygons by kind.

    Args:
        truths: what is known of the scenes.
        target: the class that the objects are.

    Returns:
        Names, objects first and the rest last, the same for all scenes; for each scene a GeoJSON
        document of every kind but the rest, None where it has none.

    Raises:
        InvalidRequest: no feature of any has the property, or none of them the class; a kind is
            named twice; there are too many.
    """
    split = [_parted(truth, target) for truth in truths]
    if not any(OBJECTS in documents for documents in split):
        values = sorted({kind for documents in split for kind in documents})
        shown = ", ".join(values[:_MOST]) or f"no feature has a property {truths[0].by!r}"
        raise InvalidRequest(f"{truths[0].file} shows no {target!r} by {truths[0].by!r}: {shown}.")
    for documents, truth in zip(split, truths, strict=True):
        if taken := sorted((_TAKEN | set(documents)) & set(truth.covers)):
            raise InvalidRequest(f"cover {taken[0]}: there is another kind of that name.")
        documents.update(truth.covers)
    named = sorted({kind for documents in split for kind in documents} - {OBJECTS})
    covers = dict.fromkeys(kind for truth in truths for kind in truth.covers)
    kinds = [OBJECTS, *(kind for kind in named if kind not in covers), *covers]
    if len(kinds) > _MOST:
        raise InvalidRequest(
            f"There are {len(kinds):,} kinds of ground; an audit tells {_MOST} apart. Choose a "
            "property with fewer values, or leave it out (by)."
        )
    return (*kinds, REST), [{kind: documents.get(kind) for kind in kinds} for documents in split]


def _parted(truth: Truth, target: str) -> dict[str, Document]:
    """A scene's objects and, told apart by a property, other kinds."""
    if truth.by is None:
        return {OBJECTS: truth.objects}
    found: dict[str, Document] = {}
    for value, document in parted(truth.objects, truth.by, truth.file).items():
        kind = value
        if _word(value) == _word(target):
            kind = OBJECTS
        elif value in _TAKEN:  # which mean something else here
            kind = f"{truth.by} {value}"
        others = found[kind]["features"] if kind in found else []  # spelt in two ways
        found[kind] = {**document, "features": [*others, *document["features"]]}
    return found


def _word(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
