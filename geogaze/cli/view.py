"""``view``: look at a job's page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from geogaze.cli.options import DEFAULT_API, ApiOption
from geogaze.cli.terminal import out
from geogaze.errors import InvalidRequest
from geogaze.outputs import Kind, kind_of


def view(
    job: Annotated[
        str, typer.Argument(help="A job's or a comparison's folder, or a job's id on a server.")
    ],
    other: Annotated[
        Path | None, typer.Argument(help="Folder of another job of the same scene, beside it.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say the address.")] = False,
    api: ApiOption = DEFAULT_API,
) -> None:
    """Look at a job's heat in a browser: its page, its scene, its layers.

    Examples:
        geogaze view heat

        geogaze view heat-2024 heat-2026

        geogaze view change

        geogaze view 4f0c… --api http://localhost:8080
    """
    folder = Path(job)
    if not folder.exists():
        _open(_page_of(job, api), no_browser=no_browser)
        return
    from geogaze.serving import BESIDE, FolderServer

    folders = {"": folder, **({BESIDE: other} if other else {})}
    for name, each in folders.items():
        kinds = {Kind.RESULTS} if name else {Kind.RESULTS, Kind.COMPARISON}
        if kind_of(each) not in kinds:
            raise InvalidRequest(
                f"{each} holds no job's results: there is no item.json of one in it."
            )
    with FolderServer(folders, port) as server:
        _open(server.url + (f"#job={BESIDE}/" if other else ""), no_browser=no_browser)
        out.print("It is served until Ctrl-C.")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _page_of(job: str, api: str) -> str:
    """The address of a job's page on a server."""
    from geogaze.client import Client
    from geogaze.errors import RemoteRefusal

    try:
        with Client(api) as client:
            results = client.results(job)
    except RemoteRefusal as error:
        raise InvalidRequest(f"There is no folder {job!r}, and of a job: {error}") from error
    if "page" not in results:
        raise InvalidRequest(
            f"Job {job} has no page: it is of an earlier release, or was asked for other products. "
            f"Fetch it and look at the folder: geogaze results {job} --download heat"
        )
    return str(results["page"]["href"])


def _open(address: str, *, no_browser: bool) -> None:
    out.print(f"Look at it: [bold]{address}[/]", soft_wrap=True)
    if not no_browser:
        import webbrowser

        webbrowser.open(address)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(view)
