"""The products of a job: which there are, and links to them that stay."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from api.dependencies import Services
from geogaze.errors import (
    InvalidRequest,
    JobFailed,
    JobNotFound,
    ObjectNotFound,
    ResultNotReady,
    ResultsGone,
)
from geogaze.ledger.states import JobState
from geogaze.processes.explain.so_far import so_far
from geogaze.processes.wanted import Wanted, inputs_of


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


def products(services: Services, job_id: UUID) -> dict[str, dict[str, Any]]:
    """All products of a successful job, by name: ``key``, ``file``, ``type``, ``size``, ``sha256``.

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
    made: dict[str, dict[str, Any]] = assets["files"]
    return made


def product_of_file(services: Services, job_id: UUID, file: str) -> dict[str, Any]:
    """The product of a successful job whose file is called so, named by its submitter or not:
    files refer to one another.

    Raises:
        ObjectNotFound: it has no such file.
        JobFailed, ResultsGone, ResultNotReady: it has none at all.
    """
    for made in products(services, job_id).values():
        if made["file"] == file:
            return made
    raise ObjectNotFound(
        f"Job {job_id} has no file {file[:80]!r}; /jobs/{job_id}/results lists what it has."
    )


def product_named(services: Services, job_id: UUID, name: str) -> dict[str, Any]:
    """The product of a successful job of that name in its results.

    Raises:
        ObjectNotFound: it has no such product.
        JobFailed, ResultsGone, ResultNotReady: it has none at all.
    """
    made = products(services, job_id)
    if name not in made:
        raise ObjectNotFound(
            f"Job {job_id} has no product {name[:80]!r}; it has {', '.join(made)}."
        )
    return made[name]


@dataclass(frozen=True)
class Finished:
    """The caller's successful jobs, for requests that build on them."""

    services: Services

    def item(self, job: UUID) -> dict[str, Any]:
        """The STAC Item of a job's results.

        Raises:
            InvalidRequest: there is none, for whatever reason.
        """
        try:
            made = product_named(self.services, job, "item")
        except (JobNotFound, JobFailed, ObjectNotFound, ResultNotReady, ResultsGone) as error:
            raise InvalidRequest(f"An earlier job is of no use here: {error}") from error
        item: dict[str, Any] = json.loads(self.services.storage.get(made["key"]))
        return item

    def inputs(self, job: UUID) -> dict[str, Any]:
        """What a job was asked for.

        Raises:
            InvalidRequest: there is no such job.
        """
        try:
            asked = self.services.ledger.request(job)
        except JobNotFound as error:
            raise InvalidRequest(f"An earlier job is of no use here: {error}") from error
        return inputs_of(asked)


def result_links(services: Services, job_id: UUID, base: str) -> dict[str, dict[str, Any]]:
    """Links to what is wanted of a successful job; they work as long as the job is kept.

    Args:
        services: the process's.
        job_id: the job.
        base: the API's address as the client sees it.

    Raises:
        JobFailed, ResultsGone, ResultNotReady: it is none.
    """
    wanted = Wanted.of(services.ledger.request(job_id))
    return {
        name: link_of(made, job_id, base)
        for name, made in products(services, job_id).items()
        if wanted.includes(name)
    }


def link_of(made: dict[str, Any], job_id: UUID, base: str) -> dict[str, Any]:
    """A link to a product, under an address that stays."""
    return {
        "href": f"{base}/jobs/{job_id}/assets/{quote(made['file'])}",
        "type": made["type"],
        "title": made["file"],
        "length": made["size"],
    }
