"""Files of this machine, sent to a server that cannot read them where they are."""

from __future__ import annotations

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

import geogaze
from geogaze.cli.terminal import err
from geogaze.errors import Interrupted


def sent(client: geogaze.Client, scene: str | list[str], *, quiet: bool) -> str | list[str]:
    """A scene as the server finds it: its files of this machine uploaded, others as they are.

    Args:
        client: of the server.
        scene: a path or address, or several.
        quiet: show no bar.
    """
    if isinstance(scene, list):
        return [_one(client, name, quiet=quiet) for name in scene]
    return _one(client, scene, quiet=quiet)


def _one(client: geogaze.Client, name: str, *, quiet: bool) -> str:
    path = Path(name)
    if "://" in name or not path.is_file():
        return name
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TransferSpeedColumn(), console=err, disable=quiet, transient=True
    ) as bar:
        task = bar.add_task(f"uploading {path.name}", total=path.stat().st_size)
        try:
            return client.upload(path, on_bytes=lambda n, of: bar.update(task, completed=n))
        except KeyboardInterrupt as error:
            raise Interrupted(
                "What was uploaded stays a while: the same command goes on."
            ) from error
