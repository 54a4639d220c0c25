"""What processes take and make, as the standard describes processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from api.documents import Link, Output
from api.openapi import dialect_30
from geogaze.errors import InvalidRequest
from geogaze.processes.request import ProcessRequest
from geogaze.processes.table import Process
from geogaze.processes.wanted import is_of

_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})


def summary(process: Process, base: str) -> dict[str, Any]:
    """A process in the list of processes."""
    link = Link(href=f"{base}/processes/{process.id}", title="its description")
    return {
        "id": process.id,
        "title": process.title,
        "description": process.description,
        "version": process.version,
        "jobControlOptions": list(process.job_control),
        "outputTransmission": list(process.transmission),
        "links": [link.model_dump(exclude_none=True)],
    }


def description(process: Process, base: str) -> dict[str, Any]:
    """A process with its inputs and outputs."""
    execute = Link(
        href=f"{base}/processes/{process.id}/execution",
        rel="http://www.opengis.net/def/rel/ogc/1.0/execute",
        title="start a job by POST",
    )
    summed_up = summary(process, base)
    return {
        **summed_up,
        "links": [*summed_up["links"], execute.model_dump(exclude_none=True)],
        "inputs": _inputs(process.request),
        "outputs": {
            name: {
                "title": output.title,
                "schema": {"type": "string", "contentMediaType": output.media_type},
            }
            for name, output in process.outputs().items()
        },
    }


@cache
def _inputs(request: type[ProcessRequest]) -> dict[str, Any]:
    schema = request.model_json_schema()
    required = set(schema.get("required", []))
    inputs = {}
    for name, field in schema["properties"].items():
        described = {key: value for key, value in field.items() if key in {"title", "description"}}
        rest = {key: value for key, value in field.items() if key not in described}
        if rest.get("default", ...) is None:
            del rest["default"]
        inputs[name] = {
            **described,
            "minOccurs": 1 if name in required else 0,
            "maxOccurs": 1,
            "schema": dialect_30(rest),
        }
    return inputs


def plain_inputs(request: type[ProcessRequest], inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs without the standard's wrapping: ``{"value": …}``, and ``{"href": …}`` of files,
    also of several.
    """
    plain = {
        name: given["value"]
        if isinstance(given, dict) and "value" in given and set(given) <= _QUALIFIED
        else given
        for name, given in inputs.items()
    }
    for name in request.by_reference:
        given = plain.get(name)
        if isinstance(given, list):
            plain[name] = [_href(one) for one in given]
        elif name in plain:
            plain[name] = _href(given)
    return plain


def _href(given: Any) -> Any:
    return given["href"] if isinstance(given, dict) and "href" in given else given


def check_outputs(
    process: Process, outputs: Mapping[str, Output], products: Collection[str]
) -> None:
    """Refuse products that a job does not make.

    Args:
        process: the job's.
        outputs: what is asked for.
        products: names and kinds of what the job makes.

    Raises:
        InvalidRequest: says which, and what there is.
    """
    if unknown := [name for name in outputs if name not in products]:
        offered = sorted(products)
        more = f" and {len(offered) - 20} more" if len(offered) > 20 else ""
        raise InvalidRequest(
            f"outputs: there is no {unknown[0][:80]!r}; there are {', '.join(offered[:20])}{more}."
        )
    described = process.outputs()
    for name, wanted in outputs.items():
        asked = wanted.format.mediaType if wanted.format else None
        media_type = described[_described(name, described)].media_type
        if asked and asked.partition(";")[0].strip() != media_type.partition(";")[0]:
            raise InvalidRequest(f"outputs: {name!r} comes as {media_type}, not as {asked!r}.")


def _described(name: str, outputs: Mapping[str, Any]) -> str:
    """The name in the description of a product: its own, or its kind's (``heat-{class}``)."""
    return name if name in outputs else next(kind for kind in outputs if is_of(name, kind))
