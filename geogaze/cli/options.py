"""Options that several commands have; those of a process come from the model of its request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import typer
from pydantic.fields import FieldInfo
from typer.models import OptionInfo

from geogaze.errors import InvalidRequest
from geogaze.models.methods import MethodName
from geogaze.outputs import results_item
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.request import Flag, ProcessRequest
from geogaze.products.styles import Overlays
from geogaze.products.thresholds import threshold_of

Command = Callable[..., None]

DEFAULT_API = "http://localhost:8080"


def takes(
    model: type[ProcessRequest],
    *,
    besides: Collection[str] = (),
    texts: Mapping[str, str] | None = None,
) -> Callable[[Command], Command]:
    """Give a command the inputs of a request as options, in the place of its parameter ``request``.

    Required inputs become arguments. The command gets the request, validated.

    Args:
        model: of the request.
        besides: inputs that are no options of this command.
        texts: help to show instead of the model's, by input.
    """
    fields = {name: field for name, field in model.model_fields.items() if name not in besides}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_options(**given: Any) -> None:
            inputs = {name: _value(name, field, given.pop(name)) for name, field in fields.items()}
            request = model.parse({n: value for n, value in inputs.items() if value is not None})
            command(request=request, **given)

        parameters = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.name == "request":
                for name, field in fields.items():
                    parameters.append(_parameter(name, field, (texts or {}).get(name)))
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        # Typer reads both.
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_options

    return decorate


def option(model: type[ProcessRequest], name: str) -> OptionInfo:
    """The option of one input, for commands that have a few of them."""
    flag, text = _names(name, model.model_fields[name]), _text(model.model_fields[name])
    info: OptionInfo = typer.Option(flag, help=text)
    return info


def _parameter(name: str, field: FieldInfo, text: str | None) -> inspect.Parameter:
    """An input as Typer's parameter."""
    flag, text = _flag(field), text or _text(field)
    if field.is_required():
        info: Any = typer.Argument(help=text)
    else:
        info = typer.Option(field.default, _names(name, field), help=text)
    annotation = _TYPES[flag.written] if flag and flag.written else field.annotation
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=annotation
    )


def _flag(field: FieldInfo) -> Flag | None:
    return next((part for part in field.metadata if isinstance(part, Flag)), None)


def _text(field: FieldInfo) -> str | None:
    flag = _flag(field)
    return flag.text if flag else field.description or field.title


def _names(name: str, field: FieldInfo) -> str:
    """``--on-error``; of what is so unless denied, ``--dry-first/--no-dry-first``."""
    word = name.replace("_", "-")
    return f"--{word}/--no-{word}" if field.default is True else f"--{word}"


_TYPES: dict[str, Any] = {
    "names": str | None,
    "numbers": str | None,
    "pairs": list[str] | None,
    "area": str | None,
    "result": str | None,
    "threshold": str,
    "places": list[str],
}
"""What Typer takes for values that are not one word each."""


def _value(name: str, field: FieldInfo, given: Any) -> Any:
    """An input as the request takes it; None where it was not given.

    Raises:
        InvalidRequest: a word does not parse.
    """
    flag, option_name = _flag(field), f"--{name.replace('_', '-')}"
    match flag.written if flag else None:
        case "names":
            if given is None or given in _choices(field):
                return given
            return _words(given)
        case "places":
            return given[0] if len(given) == 1 else given
        case "numbers":
            (kind,) = {kind for kind in (int, float) if kind in _kinds(field.annotation)}
            return _numbers(option_name, given, kind) if given else None
        case "pairs":
            return [_numbers(option_name, pair, float) for pair in given] if given else None
        case "area":
            return _read_area(given) if given else None
        case "result":
            return _result(given) if given else None
        case "threshold":
            return threshold_of(str(given))
        case _:
            return given


def _choices(field: FieldInfo) -> set[Any]:
    """Words that stand for themselves among a field's values."""
    unions = get_args(field.annotation)
    return {word for part in unions if get_origin(part) is Literal for word in get_args(part)}


def _kinds(annotation: Any) -> set[Any]:
    """All types that an annotation is made of."""
    return {annotation}.union(*(_kinds(part) for part in get_args(annotation)))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option_name: str, text: str, kind: type[int | float]) -> list[float]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise InvalidRequest(f"{option_name} takes numbers and commas, not {text!r}.") from error


def _read_area(source: str) -> Any:
    from geogaze.scene.areas import read_area

    return read_area(source)


def _result(given: str) -> Any:
    """The Item of a folder of results; a job's id as it is."""
    with suppress(ValueError):
        return str(UUID(given))
    return results_item(Path(given))


def on_a_server(request: ExplainRequest) -> ExplainRequest:
    """A request as a server is told it, which has another working directory."""
    from geogaze.scene.naming import spread

    names = spread(request.scenes)
    there = tuple(str(Path(name).resolve()) if Path(name).is_file() else name for name in names)
    return request.model_copy(update={"scene": there[0] if len(there) == 1 else there})


ModelOption = Annotated[str, option(ExplainRequest, "model")]
OverlapOption = Annotated[float, option(ExplainRequest, "overlap")]
MethodOption = Annotated[MethodName, option(ExplainRequest, "method")]
ContextOption = Annotated[Literal["tile", "scene"], option(ExplainRequest, "context")]
OverlaysOption = Annotated[Overlays | None, option(ExplainRequest, "overlays")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier command of this kind left.")
]
ApiOption = Annotated[
    str, typer.Option("--api", envvar="GEOGAZE_API_URL", help="Address of the API.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one line of JSON.")]
