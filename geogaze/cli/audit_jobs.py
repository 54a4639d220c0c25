"""The command ``audit`` on finished jobs: a server audits their scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import geogaze
from geogaze.cli.following import followed
from geogaze.cli.sending import sent
from geogaze.cli.terminal import err
from geogaze.errors import InvalidRequest, JobFailed

_SENT = {".geojson", ".gpkg"}  # what servers read of polygons


def are_jobs(names: list[str]) -> bool:
    """Whether all that is to be audited are jobs by their ids; a file of such a name is a scene.

    Raises:
        InvalidRequest: some are, and others are not.
    """
    jobs = [name for name in names if _is_job(name)]
    if jobs and len(jobs) < len(names):
        raise InvalidRequest(
            f"{jobs[0]} is a job of a server's, and others are scenes; audit them apart."
        )
    return bool(jobs)


def audit_jobs(
    client: geogaze.Client,
    inputs: dict[str, Any],
    truth: list[Path],
    cover: dict[str, str],
    folder: Path,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Have a server audit what ``inputs`` say, and fetch the files; what audit.json tells.

    Args:
        client: of the server.
        inputs: of the process, but for its polygons.
        truth: files of the jobs' objects, one for each.
        cover: files of other kinds of ground by name.
        folder: where the files go.
        quiet: show no bar.

    Raises:
        InvalidRequest: a file is none of polygons that servers read, or there is none for a job.
        RemoteRefusal: the server refuses it.
        JobFailed: the audit did not come to its end.
    """
    if len(truth) != len(inputs["jobs"]):
        raise InvalidRequest(
            f"--truth: {len(truth)} files for {len(inputs['jobs'])} jobs; give one for each, in "
            "order."
        )
    for path in (*truth, *map(Path, cover.values())):
        _check(path)
    asked = {
        **inputs,
        "truth": [sent(client, str(path), quiet=quiet) for path in truth],
        "cover": {kind: sent(client, file, quiet=quiet) for kind, file in cover.items()},
    }
    job = client.submit(asked, process="audit")["jobID"]
    err.print(f"Accepted as [bold]{job}[/].", soft_wrap=True)
    status = followed(client, job, quiet=quiet)
    if status["status"] != "successful":
        raise JobFailed(f"Audit {job} is {status['status']}: {status.get('message', '')}")
    files = client.download(job, folder)
    told: dict[str, Any] = json.loads(files["audit"].read_text(encoding="utf-8"))
    return told


def _is_job(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return not Path(name).exists()


def _check(path: Path) -> None:
    if path.suffix.lower() not in _SENT:
        raise InvalidRequest(
            f"{path} cannot be sent: servers read GeoJSON (.geojson) and GeoPackages (.gpkg)."
        )
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}.")
