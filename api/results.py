"""The products of a job as links, for whoever asks and for whoever is called back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.dependencies import Services
from api.descriptions import is_wanted
from geogaze.errors import JobFailed, ResultNotReady, ResultsGone
from geogaze.ledger.states import JobState


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
