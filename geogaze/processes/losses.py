"""What the ledger says lies in storage, and does not: after a restore, or another's mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from geogaze.ledger.collection import Collection
from geogaze.ledger.records import Kept, attempt_of, content_prefix, job_prefix
from geogaze.ledger.states import JobState
from geogaze.processes.table import all_processes
from geogaze.storage import Storage


@dataclass(frozen=True)
class Loss:
    """A job some of whose objects are gone.

    ``missing`` are the keys of its products, and the prefixes of parts that nothing lies under.
    """

    job: UUID
    tenant: str
    state: JobState
    missing: tuple[str, ...]


def losses(collection: Collection, storage: Storage) -> Iterator[Loss]:
    """Jobs that miss objects, oldest first; each is asked for with two listings.

    A job that others end meanwhile may be named too: its objects go then.

    Raises:
        StorageUnavailable: the storage does not answer.
    """
    silent = {
        (process.id, step.name)
        for process in all_processes()
        for step in process.order
        if not step.stores
    }
    for job in collection.kept():  # the ledger first: what it knows by now was written before
        if missing := _missing(job, storage, silent):
            yield Loss(job.job, job.tenant, job.state, missing)


def _missing(job: Kept, storage: Storage, silent: set[tuple[str, str]]) -> tuple[str, ...]:
    places = (job_prefix(job.job), content_prefix(job.content))
    keys = {key for place in places for key in storage.keys(place)}
    attempts = {attempt_of(key) for key in keys}
    parts = (p for phase, p in job.prefixes if (job.process, phase) not in silent)
    gone = [prefix for prefix in parts if prefix not in attempts]
    return (*gone, *(key for key in job.files if key not in keys))
