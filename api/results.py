"""The products of a job as links, for whoever asks and for whoever is called back."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from api.dependencies import Services
from api.descriptions import is_wanted
from geogaze.errors import JobFailed, ResultNotReady, ResultsGone
from geogaze.ledger.states import JobState
from geogaze.processes.explain.so_far import so_far


def preview_key(services: Services, job_id: UUID) -> str:
    """The object of the picture that shows a job best.

    Raises:
        ResultsGone, ResultNotReady: there is none.
    """
    status = services.ledger.status(job_id)
    if status.state is JobState.DISMISSED:
        raise ResultsGone(f"Job {job_id} was dismissed and its products removed.")
    assets = services.ledger.assets(job_id)
    if assets and "preview" in assets["files"]:
        return str(assets["files"]["preview"]["key"])
    picture = so_far(services.ledger, job_id)
    if picture is None:
        raise ResultNotReady(
            f"No tile of job {job_id} is explained yet ({status.state.value}); ask again later."
        )
    return picture.key


def key_tag(key: str) -> str:
    """What tells an object from others, and nothing about where it lies."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def result_links(services: Services, job_id: UUID) -> dict[str, dict[str, Any]]:
    """The results document of a successful job.

    Raises:
        JobFailed, ResultsGone, ResultNotReady: it is none.
    """
    status = services.ledger.status(job_id)
    if status.state is JobState.FAILED:
        raise JobFailed(f"Job {job_id} failed: {status.message}")
    if status.state is JobState.DISMISSED:
        raise ResultsGone(f"Job {job_id} was dismissed and its products removed.")
    assets = services.ledger.assets(job_id)
    if status.state is not JobState.SUCCESSFUL or assets is None:
        raise ResultNotReady(
            f"Job {job_id} is {status.state.value} ({status.progress} %); ask again later."
        )
    seconds = services.settings.presign_seconds
    outputs = services.ledger.request(job_id).get("outputs", ())
    return {
        name: {
            "href": services.storage.link(made["key"], seconds),
            "type": made["type"],
            "title": made["file"],
        }
        for name, made in assets["files"].items()
        if is_wanted(name, outputs)
    }
