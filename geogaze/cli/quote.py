"""What a job takes, said before it starts, and the command ``quote`` that asks a server for it."""

from __future__ import annotations

import typer
from rich.table import Table

import geogaze
from geogaze.cli.options import DEFAULT_API, ApiOption, JsonOption, on_a_server, takes
from geogaze.cli.terminal import err, out, print_json, print_warnings
from geogaze.processes.explain.quote import Quote
from geogaze.processes.explain.request import ExplainRequest
from geogaze.wording import duration, length, size


def print_ahead(quote: Quote) -> None:
    """What work begins now, for the impatient; how long it takes is not known yet."""
    tiles, layers = (
        f"{count:,} {what}{'s' * (count != 1)}"
        for count, what in ((quote.tiles, "tile"), (quote.layers, "layer"))
    )
    err.print(
        f"{tiles}; {layers} of {quote.rows:,} × {quote.cols:,} cells; at most "
        f"{size(quote.products_bytes)} of products, {size(quote.disk_bytes)} of disk with what is "
        f"kept on the way, {size(quote.memory_bytes)} of memory to put them together.",
        highlight=False,
    )
    print_warnings(quote.warnings, err)


def print_left(seconds: float) -> None:
    """How long the tiles take, as the first batches have told."""
    err.print(f"About {duration(seconds)} left for the tiles, by the first batches.")


def print_quote(quote: Quote, *, unknown: str) -> None:
    """All of a quote, as a table; ``unknown`` stands for the time where it is not known."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    cells = f"{quote.rows:,} × {quote.cols:,} cells of {length(quote.cell_metres)}"
    rows = {
        "tiles": f"{quote.tiles:,}",
        "layers": f"{quote.layers:,}, each {cells}",
        "products": f"at most {size(quote.products_bytes)}",
        "disk": f"at most {size(quote.disk_bytes)} while at work, products included",
        "memory": f"{size(quote.memory_bytes)} to put layers together, besides the network's",
        "time": unknown if quote.seconds is None else f"about {duration(quote.seconds)}",
    }
    if quote.bill:
        rows["work"] = f"about {quote.bill.words}"
    for name, told in rows.items():
        table.add_row(name, told)
    out.print(table, highlight=False)
    print_warnings(quote.warnings)


@takes(
    ExplainRequest,
    besides={"colormap", "on_error", "priority"},
    texts={"scene": "A path or URI that the server may read; several are one scene."},
)
def quote(
    *,
    request: ExplainRequest,
    api: ApiOption = DEFAULT_API,
    as_json: JsonOption = False,
) -> None:
    """Ask a server what a job would take: tiles, layers, gigabytes; minutes and money where known.

    Nothing is started. Here, without a server: geogaze run SCENE --dry-run.

    Example:
        geogaze quote s3://imagery/port.tif --classes harbor --gsd 0.3
    """
    with geogaze.Client(api) as client:
        answer = client.quote(on_a_server(request).model_dump(mode="json", exclude_none=True))
    if as_json:
        print_json(answer)
        return
    print_quote(Quote.model_validate(answer), unknown="not known: you had no such job here yet")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(quote)
