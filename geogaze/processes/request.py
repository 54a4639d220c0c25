"""What the requests of all processes have in common."""

from __future__ import annotations

import reprlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from geogaze.errors import InvalidRequest
from geogaze.processes.limits import check_values


@dataclass(frozen=True)
class Flag:
    """How the command line words an input; metadata of a request's field.

    Attributes:
        text: what is shown, where the field's description is too long for a terminal, or its words
            are those of JSON.
        written: how a value that is not one word is written: ``names`` and ``numbers`` with commas,
            ``pairs`` of numbers as an option that is repeated, an ``area`` as itself or its file, a
            ``result`` as its folder or a job's id, a ``threshold`` as a number or a word,
            ``places`` as words of which there may be several.
    """

    text: str
    written: (
        Literal["names", "numbers", "pairs", "area", "result", "threshold", "places"] | None
    ) = None


class EarlierJobs(Protocol):
    """Finished jobs of whoever asks, for requests that build on them.

    Raises:
        InvalidRequest: there is no such job, or it has no such results.
    """

    def item(self, job: UUID) -> dict[str, Any]:
        """The STAC Item of its results."""
        ...

    def inputs(self, job: UUID) -> dict[str, Any]:
        """What it was asked for."""
        ...


class ProcessRequest(BaseModel):
    """The inputs of a process; a process's own model adds its fields.

    ``by_reference`` names the inputs that may come as ``{"href": …}``, the standard's way of
    pointing at a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    by_reference: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        return check_values(values)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Validate inputs, with one readable line for all that is wrong.

        Raises:
            InvalidRequest: an input is missing, unknown, of the wrong type or out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidRequest(readable(error)) from error

    @property
    def source(self) -> str | None:
        """The path or URI that planning has to open, which may keep it waiting; None if none."""
        return None

    @property
    def urgency(self) -> int:
        """Jobs of higher urgency go before all others; 0 for most."""
        return 0

    def with_results(self, earlier: EarlierJobs) -> Self:
        """The request with what it takes from earlier jobs in the place of their ids.

        Raises:
            InvalidRequest: a job has nothing to take.
        """
        return self

    def narrowed(self, outputs: Collection[str]) -> Self:
        """The request without what only makes products that nobody asked for.

        Args:
            outputs: names of products asked for; none: all.
        """
        return self


def readable(error: ValidationError) -> str:
    """A validation error in one line: ``overlap: Input should be … (got 1.5); …``."""
    lines: dict[str, str] = {}
    for detail in error.errors():
        # Branches of a union repeat a field; the first says enough.
        name = str(detail["loc"][0])[:80] if detail["loc"] else "request"
        got = reprlib.repr(detail["input"])
        lines.setdefault(name, f"{name}: {detail['msg']} (got {got[:60]})")
    return "; ".join(lines.values())
