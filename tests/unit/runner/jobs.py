"""Several jobs on one ledger, their units done one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from geogaze.config import Settings
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import JobStatus
from geogaze.ledger.states import OPEN_JOB
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.submit import submit
from geogaze.runner.work import Worker
from geogaze.storage import FolderStorage


class Bureau:
    """A ledger, a folder of objects and one worker."""

    def __init__(self, folder: Path, bundle: Path, **settings: Any) -> None:
        folder.mkdir()
        # One tile at a time: sums do not depend on who shares the batch.
        self.settings = Settings(
            database_url=f"sqlite:///{folder / 'ledger.db'}",
            storage=str(folder / "objects"),
            device="cpu",
            torch_threads=1,
            batch_size=1,
            **settings,
        )
        self.bundle = bundle
        self.worker = Worker.from_settings(self.settings)
        self.ledger = self.worker.resources.ledger
        self.ledger.create_tables()

    @property
    def storage(self) -> FolderStorage:
        storage = self.worker.resources.storage
        assert isinstance(storage, FolderStorage)
        return storage

    def plan(self, scene: Path, **options: Any) -> tuple[ExplainRequest, Plan]:
        request = ExplainRequest(scene=str(scene), model=str(self.bundle), **options)
        return request, make_plan(request, self.settings, local=True)

    def submit(self, scene: Path, **options: Any) -> UUID:
        return submit(self.ledger, *self.plan(scene, **options))

    def work(self, job: UUID) -> JobStatus:
        """Do whatever is due until the job has ended."""
        queue = Queue(self.ledger.database)
        while (status := self.ledger.status(job)).state in OPEN_JOB:
            messages = queue.dispatch(1)
            assert messages, "a unit waits for something"
            self.worker.run(messages[0].unit)
        return status

    def products(self, job: UUID) -> dict[str, bytes]:
        """What a successful job made, but for the item, which has its id and time."""
        assets = self.ledger.assets(job)
        assert assets is not None
        files = {name: made["key"] for name, made in assets["files"].items() if name != "item"}
        return {name: self.storage.get(key) for name, key in files.items()}

    def close(self) -> None:
        self.ledger.database.dispose()
