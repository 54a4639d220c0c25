"""The process ``echo``: what goes in comes out. To try a service, its queue and its callbacks;
tools that test for the standard expect one.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar
from uuid import uuid4

from pydantic import AfterValidator, Field
from typing_extensions import override

from geogaze.config import Settings
from geogaze.processes.plan import ProcessPlan
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import Output, Process, Step


def _as_json(values: Any) -> Any:
    """Refuse numbers that JSON does not have; else the values."""
    json.dumps(values, allow_nan=False)
    return values


_JSON = AfterValidator(_as_json)
_MEDIA_TYPE = "application/json"


class EchoRequest(ProcessRequest):
    """Inputs of the process ``echo``."""

    string: str | None = Field(default=None, max_length=10_000, title="Any text")
    number: float | None = Field(default=None, title="Any number")
    array: Annotated[list[Any], _JSON] | None = Field(default=None, title="Any values in an order")
    object: Annotated[dict[str, Any], _JSON] | None = Field(
        default=None, title="Any values by their names"
    )
    pause: float = Field(
        default=0.0,
        ge=0,
        le=600,
        title="Pause",
        description="Seconds that the job takes, to see what can be done with it meanwhile.",
    )


class EchoPlan(ProcessPlan):
    """The plan of a job of ``echo``: its inputs, and seconds to wait before they come back."""

    process: ClassVar[str] = "echo"

    inputs: dict[str, Any]
    pause: float

    @property
    @override
    def content(self) -> str:
        """Like no other: there is nothing to be taken over."""
        return uuid4().hex

    @property
    @override
    def products(self) -> frozenset[str]:
        return frozenset(ECHO.outputs())  # of which those are made whose input is given


def make_plan(request: EchoRequest, settings: Settings, *, local: bool = False) -> EchoPlan:
    """The plan of what was asked, which is the same."""
    inputs = request.model_dump(mode="json", exclude_none=True, exclude={"pause"})
    return EchoPlan(inputs=inputs, pause=request.pause)


ECHO = Process(
    id="echo",
    title="Echo the inputs",
    description="What goes in comes out, by way of the queue, a worker and the storage.",
    request=EchoRequest,
    plan="geogaze.processes.echo:make_plan",
    order=(Step("echo", "geogaze.runner.phases.echo:run", 100, "echoing"),),
    outputs=lambda: {
        "echo": Output("The inputs that were given", _MEDIA_TYPE),
        **{
            name: Output(f"The input {name}, where it was given", _MEDIA_TYPE)
            for name in EchoRequest.model_fields
            if name != "pause"
        },
    },
    job_control=("sync-execute", "async-execute", "dismiss"),
    transmission=("value", "reference"),
)
