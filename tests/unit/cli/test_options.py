"""Options that come from the model of a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from geogaze.cli.app import app
from geogaze.cli.options import takes
from geogaze.errors import InvalidRequest
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.request import Flag, ProcessRequest


class Paint(ProcessRequest):
    wall: str = Field(description="What to paint.")
    coats: int = Field(default=2, ge=1, title="How often")
    colour: Literal["red", "blue"] = "red"
    dry_first: bool = Field(default=True, title="Wait between coats")
    quick: bool = False
    stripes: Annotated[tuple[int, ...] | None, Flag("Widths, such as 3,1.", "numbers")] = None
    tints: Annotated[Literal["all"] | tuple[str, ...], Flag("all, or names", "names")] = "all"
    like: Annotated[dict[str, Any] | str | None, Flag("Like this.", "result")] = None


def painted(*words: str) -> tuple[Paint, bool]:
    """What the command ``paint`` is given."""
    given: list[Any] = []
    painter = typer.Typer()

    @painter.command()
    @takes(Paint, texts={"wall": "Where it is."})
    def paint(*, request: Paint, dry_run: Annotated[bool, typer.Option("--dry-run")] = False):
        given.extend((request, dry_run))

    CliRunner().invoke(painter, list(words), catch_exceptions=False)
    request, dry_run = given
    return request, dry_run


def test_inputs_that_are_not_given_are_the_models_own() -> None:
    assert painted("north") == (Paint(wall="north"), False)


def test_words_become_inputs() -> None:
    words = "--coats 3 --colour blue --no-dry-first --quick --stripes 3,1 --tints pale,deep"
    request, dry_run = painted("north", *words.split(), "--dry-run")
    assert request == Paint(
        wall="north",
        coats=3,
        colour="blue",
        dry_first=False,
        quick=True,
        stripes=(3, 1),
        tints=("pale", "deep"),
    )
    assert dry_run


def test_the_model_judges() -> None:
    with pytest.raises(InvalidRequest, match="coats"):
        painted("north", "--coats", "0")
    with pytest.raises(InvalidRequest, match="--stripes takes numbers and commas, not 'wide'"):
        painted("north", "--stripes", "wide")


TREE: Any = typer.main.get_command(app)


@pytest.mark.parametrize(
    ("command", "besides"),
    [("run", {"priority"}), ("submit", set()), ("quote", {"priority", "colormap", "on_error"})],
)
def test_commands_have_all_inputs_of_the_process(command: str, besides: set[str]) -> None:
    parameters = {parameter.name: parameter for parameter in TREE.commands[command].params}
    fields = {n: f for n, f in ExplainRequest.model_fields.items() if n not in besides}
    assert not besides & set(parameters)
    for name, field in fields.items():
        assert parameters[name].help, name
        assert parameters[name].required == field.is_required()
        if not field.is_required():
            assert parameters[name].default == field.default
            word = name.replace("_", "-")
            denied = [f"--no-{word}"] if field.default is True else []
            assert (parameters[name].opts, parameters[name].secondary_opts) == (
                [f"--{word}"],
                denied,
            )


def test_a_result_is_its_folder_or_a_job(tmp_path: Path) -> None:
    item = {"assets": {"a": {"href": "./a.tif"}}, "properties": {"geogaze:model": "m"}}
    (tmp_path / "item.json").write_text(json.dumps(item))
    for place in (tmp_path, tmp_path / "item.json"):
        assert painted("north", "--like", str(place))[0].like == item
    job = str(uuid4())
    assert painted("north", "--like", job)[0].like == job
    with pytest.raises(InvalidRequest, match="nowhere holds no results"):
        painted("north", "--like", "nowhere")
