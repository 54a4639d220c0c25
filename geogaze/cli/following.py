"""Following a server's job at the terminal."""

from __future__ import annotations

import geogaze
from geogaze.cli.terminal import progress_bar
from geogaze.documents import Status
from geogaze.errors import Interrupted, RemoteError, RemoteRefusal


def followed(client: geogaze.Client, job: str, *, quiet: bool) -> Status:
    """Follow a job until it ends; its last status.

    Args:
        client: of its server.
        job: its id.
        quiet: show no bar.

    Raises:
        Interrupted: by Ctrl-C; the job goes on.
        RemoteRefusal: there is no such job.
        RemoteError: the API stayed away.
    """
    with progress_bar("tiles", quiet=quiet) as bar:
        task = bar.add_task("waiting", total=100, speed=None, left=None)

        def show(status: Status) -> None:
            bar.update(
                task,
                description=status["message"],
                completed=status["progress"],
                speed=status.get("tilesPerSecond"),
                left=status.get("secondsLeft"),
            )

        def away(error: RemoteError) -> None:
            waiting = "the API does not answer; trying again"
            bar.update(task, description=waiting, speed=None, left=None)

        try:
            return client.wait(job, on_status=show, on_away=away)
        except KeyboardInterrupt as error:
            raise Interrupted(f"The job goes on. {_later(job)}") from error
        except RemoteRefusal:
            raise
        except RemoteError as error:
            raise RemoteError(f"{error} The job may go on. {_later(job)}") from error


def _later(job: str) -> str:
    return f"Follow it: geogaze watch {job}. End it: geogaze cancel {job}."
