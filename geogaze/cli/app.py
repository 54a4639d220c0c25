"""The command tree, and how errors become exit codes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from geogaze.cli import (
    audit,
    bench,
    catalog,
    compare,
    demo,
    hotspots,
    image,
    keys,
    local,
    lost,
    methods,
    models,
    quote,
    remote,
    serve,
    train,
    view,
    workers,
    zones,
)
from geogaze.cli.terminal import exit_code, print_error, print_json, told
from geogaze.cores import let_threads_sleep
from geogaze.errors import DeviceAbsent, GeogazeError, Interrupted
from geogaze.version import VERSION

_NOT_IN_LIGHT = frozenset({"torch", "torchvision", "captum", "onnx", "onnxscript", "safetensors"})
"""What an install may do without: see the extra ``light``. What lacks one of the others that it
leaves out (:class:`geogaze.extras.LibraryAbsent`) says so itself.
"""


class _Commands(TyperGroup):
    """Commands whose interruption is told like any error (Typer by itself ends without a word), and
    so is a library that the light install leaves out.
    """

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("") from error
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in _NOT_IN_LIGHT:
                raise
            raise DeviceAbsent(
                f"This needs {missing}, which is not installed here: pip install 'geogaze[worker]'."
            ) from error


app = typer.Typer(
    name="geogaze",
    cls=_Commands,
    help="Where on the map does a neural network look?",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"geogaze {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Where on the map does a neural network look?

    Grad-CAM heat for every class of an image classifier over whole georeferenced scenes.

    Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 3 the API is away or failed (the
    job may go on), 130 interrupted.
    """


local.add_to(app)
demo.add_to(app)
view.add_to(app)
image.add_to(app)
compare.add_to(app)
train.add_to(app)
audit.add_to(app)
remote.add_to(app)
quote.add_to(app)
models.add_to(app)
methods.add_to(app)
hotspots.add_to(app)
zones.add_to(app)
catalog.add_to(app)
bench.add_to(app)
serve.add_to(app)
workers.add_to(app)
keys.add_to(app)
lost.add_to(app)


def main() -> None:
    """Run the command line."""
    let_threads_sleep()
    as_json = "--json" in sys.argv[1:]
    try:
        app(prog_name="geogaze")
    except GeogazeError as error:
        print_error(error)
        if as_json:
            print_json({"status": told(error), "type": error.slug, "detail": str(error)})
        sys.exit(exit_code(error))
