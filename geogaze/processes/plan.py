"""What the plans of all processes have in common."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import override

from geogaze.errors import ReleaseDiffers
from geogaze.grid.rectangles import Division
from geogaze.models.bundles import Bundle
from geogaze.version import VERSION


class ProcessPlan(BaseModel, ABC):
    """All that units of work need to know, as JSON in the job's row.

    ``process`` is the id of the process that it is of. ``warnings`` are for the user.
    """

    model_config = ConfigDict(frozen=True)

    process: ClassVar[str]
    warnings: tuple[str, ...] = ()

    @property
    def units(self) -> dict[str, int]:
        """How many units phases have, by the phase's name; those not named have one."""
        return {}

    @property
    def grids(self) -> dict[str, Division]:
        """How the items of phases are divided into units, by the phase's name.

        Phases that are not named have nothing to count, and their units are not split.
        """
        return {}

    @property
    def skips(self) -> bool:
        """Whether an item that cannot be done is left out; else the job fails."""
        return False

    @property
    @abstractmethod
    def content(self) -> str:
        """What the first phase's parts depend on, as 32 hexadecimal digits.

        Jobs of one content use each other's parts.
        """

    @property
    @abstractmethod
    def products(self) -> frozenset[str]:
        """Names of the products that the job makes, and of their kinds (``heat-{class}``)."""

    def kept(self) -> dict[str, Any]:
        """The plan as the ledger keeps it, for workers that may be anywhere."""
        return self.model_dump(mode="json")

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        """The plan that :meth:`kept` gave, perhaps that of another release.

        What this release does not know may be empty (null, false, 0, nothing in it): then it asks
        for nothing.

        Raises:
            ReleaseDiffers: it asks for something that this release does not know.
        """
        try:
            plan = cls.model_validate(kept)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ReleaseDiffers(_differs(what)) from error
        if unknown := next(_unknown(kept, plan.kept()), None):
            raise ReleaseDiffers(_differs(unknown))
        return plan

    def logged(self) -> dict[str, str]:
        """What the log says of an accepted job."""
        return {}


class ModelPlan(ProcessPlan):
    """A plan of work with a model.

    ``local`` says that it is done where it was planned, by who may name any file and folder.
    """

    bundle: Bundle
    local: bool

    @override
    def kept(self) -> dict[str, Any]:
        # Where the bundle lies is another place on each worker.
        exclude = None if self.local else {"bundle": {"folder"}}
        return self.model_dump(mode="json", exclude=exclude)


def content_digest(known: dict[str, Any]) -> str:
    """A :attr:`ProcessPlan.content`: of all that parts depend on, and of the release."""
    said = json.dumps({**known, "geogaze": VERSION}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _differs(what: str) -> str:
    return (
        f"This worker's release, {VERSION}, does not know what the plan says ({what}); another "
        "worker may. Run the same release everywhere once the old one has gone."
    )


def _unknown(given: Any, known: Any, place: str = "") -> Iterator[str]:
    """Names that have a value in what was given, and are not in what is known."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name in known:
                yield from _unknown(value, known[name], f"{place}{name}.")
            elif value:
                yield f"{place}{name}"
    elif isinstance(given, list) and isinstance(known, list):
        for one, other in zip(given, known, strict=False):
            yield from _unknown(one, other, place)
