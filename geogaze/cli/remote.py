"""Commands that talk to a geogaze API."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

import geogaze
from geogaze.cli.following import followed
from geogaze.cli.options import (
    DEFAULT_API,
    ApiOption,
    JsonOption,
    OverwriteOption,
    on_a_server,
    takes,
)
from geogaze.cli.sending import sent
from geogaze.cli.terminal import FAILED, err, out, print_json, print_warnings
from geogaze.documents import Status
from geogaze.outputs import Kind, check_folder, former_products
from geogaze.processes.bill import Bill
from geogaze.processes.explain.request import ExplainRequest

JobArgument = Annotated[str, typer.Argument(help="A job's id.")]

_COLOURS = {"successful": "green", "failed": "red", "running": "cyan", "dismissed": "dim"}


@takes(
    ExplainRequest,
    texts={"scene": "A path or URI that the server may read; several are one scene."},
)
def submit(
    *,
    request: ExplainRequest,
    key: Annotated[
        str | None, typer.Option("--key", help="Asked again with it, you get the same job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it ends.")] = False,
    send: Annotated[
        bool, typer.Option("--upload", help="Send files, also where the server may read them.")
    ] = False,
    api: ApiOption = DEFAULT_API,
    as_json: JsonOption = False,
) -> None:
    """Submit a scene to a geogaze server. A file that it cannot read is uploaded first.

    Example:
        geogaze submit s3://imagery/port.tif --classes harbor --api http://localhost:8080 --wait
    """
    from geogaze.answers import SceneRefused

    with geogaze.Client(api) as client:
        inputs = on_a_server(request).model_dump(mode="json", exclude_none=True)
        if send:
            inputs["scene"] = sent(client, inputs["scene"], quiet=as_json)
        try:
            status = client.submit(inputs, idempotency_key=key)
        except SceneRefused as refused:
            there = sent(client, inputs["scene"], quiet=as_json)
            if there == inputs["scene"]:
                near = "://" not in str(there)
                raise SceneRefused(
                    f"{refused}{' Nor is such a file here, to be uploaded.' if near else ''}"
                ) from refused
            status = client.submit({**inputs, "scene": there}, idempotency_key=key)
        accepted = (
            f"Accepted as [bold]{status['jobID']}[/]. Follow it: geogaze watch {status['jobID']}"
        )
        if wait:
            err.print(accepted, soft_wrap=True)  # whatever becomes of the waiting
            print_warnings(status.get("warnings", ()), err)
            _follow(client, status["jobID"], as_json)
            return
    if as_json:
        print_json(status)
        return
    out.print(accepted, soft_wrap=True)
    print_warnings(status.get("warnings", ()))


def watch(job: JobArgument, api: ApiOption = DEFAULT_API, as_json: JsonOption = False) -> None:
    """Follow a job until it ends. Exit code 1 if it does not succeed, 3 if the API stays away."""
    with geogaze.Client(api) as client:
        _follow(client, job, as_json)


def _follow(client: geogaze.Client, job: str, as_json: bool) -> None:
    status = followed(client, job, quiet=as_json)
    if as_json:
        print_json(status)
    else:
        _print_status(status)
    if status["status"] != "successful":
        raise typer.Exit(FAILED)


def _print_status(status: Status) -> None:
    colour = _COLOURS.get(status["status"], "white")
    out.print(f"Job {status['jobID']} is [bold {colour}]{status['status']}[/]: {status['message']}")
    print_warnings(status.get("warnings", ()))
    if told := status.get("bill"):
        out.print(f"It took {Bill.model_validate(told).words}.")
    if status["status"] == "successful":
        out.print(f"Fetch it: geogaze results {status['jobID']} --download heat")
        for link in status["links"]:
            if link["rel"] == "service":  # its features; pictures of them lie beside
                job = link["href"].removesuffix("/features")
                capabilities = f"{job}/wmts/1.0.0/WMTSCapabilities.xml"
                out.print(f"In QGIS, pictures by WMTS:      {capabilities}", soft_wrap=True)
                out.print(f"In QGIS, OGC API – Features:    {link['href']}", soft_wrap=True)


def jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most jobs to list.")] = 20,
    status: Annotated[list[str] | None, typer.Option(help="Only jobs in this state.")] = None,
    api: ApiOption = DEFAULT_API,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    with geogaze.Client(api) as client:
        statuses = client.jobs(limit=limit, status=status)
    if as_json:
        print_json(statuses)
        return
    narrow = (Column(name, no_wrap=True) for name in ("job", "state", "done", "submitted"))
    table = Table(*narrow, "message", box=None)
    for entry in statuses:
        colour = _COLOURS.get(entry["status"], "white")
        created = datetime.fromisoformat(entry["created"]).astimezone()
        table.add_row(
            entry["jobID"],
            f"[{colour}]{entry['status']}[/]",
            f"{entry.get('progress', 0)} %",
            f"{created:%m-%d %H:%M}",
            entry.get("message", ""),
        )
    out.print(table if statuses else "No jobs.")


def results(
    job: JobArgument,
    download: Annotated[
        Path | None, typer.Option(help="Fetch all products into this folder.")
    ] = None,
    overwrite: OverwriteOption = False,
    api: ApiOption = DEFAULT_API,
    as_json: JsonOption = False,
) -> None:
    """Show links to a job's products, or fetch them.

    Example:
        geogaze results 4f0c… --download heat
    """
    with geogaze.Client(api) as client:
        if download is None:
            links = client.results(job)
            if as_json:
                print_json(links)
                return
            for name, link in links.items():
                out.print(f"[bold]{name}[/]  {link['href']}", soft_wrap=True)
            return
        check_folder(download, Kind.RESULTS, overwrite=overwrite)
        former = former_products(download)
        with err.status("fetching"):
            files = client.download(job, download)
        for stale in former - set(files.values()):
            stale.unlink(missing_ok=True)
    if as_json:
        print_json({name: str(path) for name, path in files.items()})
        return
    out.print(f"Fetched {len(files)} files into {download}.")


def cancel(job: JobArgument, api: ApiOption = DEFAULT_API, as_json: JsonOption = False) -> None:
    """Cancel a job, or remove a finished one with its products."""
    with geogaze.Client(api) as client:
        status = client.dismiss(job)
    if as_json:
        print_json(status)
        return
    out.print(f"Job {job} is dismissed; its parts and products are being removed.")


def retry(job: JobArgument, api: ApiOption = DEFAULT_API, as_json: JsonOption = False) -> None:
    """Go on with a failed job: what is done stays, only the rest is tried again."""
    with geogaze.Client(api) as client:
        status = client.retry(job)
    if as_json:
        print_json(status)
        return
    out.print(f"Job {job} goes on. Follow it: geogaze watch {job}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (submit, watch, jobs, results, cancel, retry):
        app.command()(command)
