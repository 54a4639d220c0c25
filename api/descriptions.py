"""What the one process takes and makes, as the standard describes processes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from api.documents import Link, Output
from api.openapi import dialect_30
from geogaze import __version__
from geogaze.errors import InvalidRequest
from geogaze.ledger.submission import PROCESS
from geogaze.processes.explain.plan import TOP
from geogaze.processes.explain.request import ExplainRequest

_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
_OUTPUTS = {
    "heat-{class}": (
        "Heat of a class, one product for each: heat-airplane, heat-runway, …",
        _GEOTIFF,
    ),
    "overlay-{class}": (
        "Heat over the scene, one product for each class unless overlays is false",
        _GEOTIFF,
    ),
    "classes": ("Best class of each cell, where classes is top", _GEOTIFF),
    "tiles": ("Predictions for each tile, GeoParquet", "application/vnd.apache.parquet"),
    "preview": ("Contact sheet", "image/png"),
    "item": ("STAC Item", "application/geo+json"),
}
_QUALIFIED = frozenset({"value", "mediaType", "encoding", "schema", "format"})


def summary(base: str) -> dict[str, Any]:
    """The process in the list of processes."""
    link = Link(href=f"{base}/processes/{PROCESS}", title="its description")
    return {
        "id": PROCESS,
        "title": "Explain a scene",
        "description": "Grad-CAM heat of every class of an image classifier over a whole scene.",
        "version": __version__,
        "jobControlOptions": ["async-execute", "dismiss"],
        "outputTransmission": ["reference"],
        "links": [link.model_dump(exclude_none=True)],
    }


def description(base: str) -> dict[str, Any]:
    """The process with its inputs and outputs."""
    execute = Link(
        href=f"{base}/processes/{PROCESS}/execution",
        rel="http://www.opengis.net/def/rel/ogc/1.0/execute",
        title="start a job by POST",
    )
    made = summary(base)
    return {
        **made,
        "links": [*made["links"], execute.model_dump(exclude_none=True)],
        "inputs": _inputs(),
        "outputs": {
            name: {"title": title, "schema": {"type": "string", "contentMediaType": media_type}}
            for name, (title, media_type) in _OUTPUTS.items()
        },
    }


@cache
def _inputs() -> dict[str, Any]:
    schema = ExplainRequest.model_json_schema()
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


def plain_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs without the standard's wrapping: ``{"value": …}``, and a scene's ``{"href": …}``."""
    plain = {
        name: given["value"]
        if isinstance(given, dict) and "value" in given and set(given) <= _QUALIFIED
        else given
        for name, given in inputs.items()
    }
    if isinstance(plain.get("scene"), dict):
        plain["scene"] = plain["scene"].get("href")
    return plain


def wants_overlays(outputs: Iterable[str]) -> bool:
    """Whether any overlay is among the products asked for; without any named, all are."""
    names = list(outputs)
    return not names or any(name.startswith("overlay-") for name in names)


def is_wanted(name: str, outputs: Iterable[str]) -> bool:
    """Whether a product is among those asked for."""
    wanted = set(outputs)
    return not wanted or bool({name, _kind(name)} & wanted)


def check_outputs(outputs: dict[str, Output], layers: Iterable[str], *, overlays: bool) -> None:
    """Refuse products that a job does not make.

    Raises:
        InvalidRequest: says which, and what there is.
    """
    kinds = ["heat", *(["overlay"] if overlays else [])]
    layered = {f"{kind}-{layer}" for kind in kinds for layer in [*layers, "{class}"]}
    made = layered | {name for name in _OUTPUTS if "{" not in name}
    if TOP not in layers:
        made.discard("classes")
    if unknown := [name for name in outputs if name not in made]:
        offered = sorted(made)
        more = f" and {len(offered) - 20} more" if len(offered) > 20 else ""
        raise InvalidRequest(
            f"outputs: there is no {unknown[0][:80]!r}; there are {', '.join(offered[:20])}{more}."
        )
    for name, wanted in outputs.items():
        asked = wanted.format.mediaType if wanted.format else None
        _, media_type = _OUTPUTS[_kind(name)]
        if asked and asked.partition(";")[0].strip() != media_type.partition(";")[0]:
            raise InvalidRequest(f"outputs: {name!r} comes as {media_type}, not as {asked!r}.")


def _kind(name: str) -> str:
    """The name of a product in the description."""
    return name if name in _OUTPUTS else f"{name.partition('-')[0]}-{{class}}"
