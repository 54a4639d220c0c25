"""Jobs pushed as they go: to one watcher or many, until they end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from api.watching import Seen, Watching
from geogaze.config import Settings
from geogaze.errors import DatabaseUnavailable
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from tests.unit.api.serving import served
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off
from tests.unit.ledger.suite import submit


def told(lines: list[str]) -> list[tuple[str, Any]]:
    """Events of a stream: their names and data."""
    names = [line[7:] for line in lines if line.startswith("event: ")]
    data = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return list(zip(names, data, strict=True))


def test_a_job_is_followed_to_its_end(app: FastAPI, settings: Settings, scene: Path) -> None:
    app.state.watching = Watching(app.state.services.ledger, pause=0.01)
    body = {"inputs": {"scene": str(scene), "model": "tiny", "overlap": 0}}
    with served(app) as address, httpx.Client(base_url=address, timeout=60) as http:
        location = http.post(EXECUTION, json=body).headers["location"]
        with http.stream("GET", f"{location}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            begun = [next(lines), next(lines)]
            assert told(begun)[0][1]["status"] == "accepted"
            worker = threading.Thread(target=work_off, args=(settings,))
            worker.start()
            found = told([line for line in lines if line])
            worker.join()
        assert found[-1] == ("status", http.get(location).json())
    states = [data["status"] for name, data in found if name == "status"]
    assert states[-1] == "successful"
    assert states.count("successful") == 1
    progress = [data["progress"] for name, data in found if name == "status"]
    assert progress == sorted(progress)
    pictures = [data for name, data in found if name == "preview"]
    assert pictures
    assert pictures[0]["href"] == f"{location}/preview"


def test_what_has_ended_is_told_once(http: TestClient, ledger: Ledger) -> None:
    job = submit(ledger)
    end(ledger, job, JobState.DISMISSED)
    answer = http.get(f"/jobs/{job}/events")
    found = told(answer.text.splitlines())
    assert [(name, data["status"]) for name, data in found] == [("status", "dismissed")]


def test_nobody_elses_job_is_watched(http: TestClient) -> None:
    check_problem(http.get(f"/jobs/{uuid4()}/events"), 404)


class Asked:
    """A ledger that counts how often it is asked, and is away at first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self.times = ledger, 0

    def status(self, job: UUID) -> Any:
        self.times += 1
        if self.times == 1:
            raise DatabaseUnavailable("away")
        return self._ledger.status(job)

    def parts(self, job: UUID, phase: str) -> Any:
        return self._ledger.parts(job, phase)


def test_many_watchers_ask_once_and_leave_nothing(ledger: Ledger) -> None:
    job, asked = submit(ledger), Asked(ledger)

    async def watch(watching: Watching, first: asyncio.Event) -> list[JobState]:
        seen = []
        async for found in watching.changes(job):
            seen.append(found.status.state)
            first.set()
        return seen

    async def run() -> None:
        watching, first = Watching(asked, pause=0.02), asyncio.Event()  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watch(watching, first)) for _ in range(50)]
            await first.wait()
            await asyncio.to_thread(end, ledger, job, JobState.FAILED)
        for task in tasks:
            # It runs for a moment before it fails: a look may fall into it.
            told = [state for state in task.result() if state is not JobState.RUNNING]
            assert told == [JobState.ACCEPTED, JobState.FAILED]
            assert len(set(task.result())) == len(task.result()), "nothing is told twice"
        assert watching._watched == {}

    asyncio.run(run())
    assert asked.times < 50, "fewer than one for each watcher"


def test_who_leaves_is_forgotten(ledger: Ledger) -> None:
    job = submit(ledger)

    async def run() -> None:
        watching = Watching(ledger, pause=0.01)
        changes: AsyncIterator[Seen] = watching.changes(job)
        assert (await anext(changes)).status.id == job
        (watched,) = watching._watched.values()
        await changes.aclose()  # type: ignore[attr-defined]
        assert watching._watched == {}
        with pytest.raises(asyncio.CancelledError):
            await watched.task

    asyncio.run(run())
