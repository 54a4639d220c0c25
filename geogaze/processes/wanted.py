"""Which of a job's products are wanted, and how they are to come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Mode = Literal["value", "reference"]


@dataclass(frozen=True)
class Wanted:
    """What an execution request says of its results.

    Attributes:
        outputs: names of products, or of their kinds (``heat-{class}``); none: all.
        modes: how some of them are to come, by the same names.
        raw: whether they come as they are rather than in a document.
    """

    outputs: tuple[str, ...] = ()
    modes: Mapping[str, Mode] = field(default_factory=dict)
    raw: bool = False

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """What a request says that the ledger has kept."""
        return cls(
            tuple(request.get("outputs", ())),
            request.get("transmission", {}),
            request.get("response") == "raw",
        )

    def kept(self) -> dict[str, Any]:
        """What the ledger keeps of it beside the inputs; nothing where nothing was said."""
        said = {
            "outputs": sorted(self.outputs),
            "transmission": dict(self.modes),
            "response": "raw" if self.raw else None,
        }
        return {name: value for name, value in said.items() if value}

    def includes(self, name: str) -> bool:
        """Whether a product is wanted, by its name or as one of a kind."""
        return is_wanted(name, self.outputs)

    def mode(self, name: str, usual: Mode) -> Mode:
        """How a product is to come: as was said of it or of its kind, or else as usual."""
        if name in self.modes:
            return self.modes[name]
        return next((mode for kind, mode in self.modes.items() if is_of(name, kind)), usual)


_BESIDE = frozenset({"outputs", "transmission", "response"})


def inputs_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs in a request that the ledger has kept, without what was said of its results."""
    return {name: value for name, value in request.items() if name not in _BESIDE}


def is_wanted(name: str, outputs: Iterable[str]) -> bool:
    """Whether a product is among those asked for, itself or as one of a kind."""
    wanted = set(outputs)
    return not wanted or name in wanted or any(is_of(name, kind) for kind in wanted)


def is_of(name: str, kind: str) -> bool:
    """Whether a product is one of a kind: ``heat-airplane`` of ``heat-{class}``."""
    before, template, after = kind.partition("{class}")
    fits = name.startswith(before) and name.endswith(after)
    return bool(template) and fits and len(name) >= len(before) + len(after)
