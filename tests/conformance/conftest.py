"""A service with a worker, in this process, and the table of requirements at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog

from api.watching import Watching
from geogaze.config import Settings
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, make_app, make_settings
from tests.unit.api.working import work_off

INPUTS = {"string": "teststring", "number": 3.5, "array": [1, "two"], "object": {"a": {"b": 1}}}


@dataclass(frozen=True)
class Service:
    """The service as a client meets it. Its worker may be told to rest."""

    http: TestClient
    scene: Path
    working: threading.Event
    busy: threading.Lock

    def get(self, path: str, **options: Any) -> Any:
        """What lies at an address of the service."""
        return self.http.get(path, **options)

    def document(self, path: str) -> Any:
        """A document of the service."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def execute(self, *, wait: bool, process: str = "echo", **body: Any) -> Any:
        """Execute a process; the answer."""
        asked = {"inputs": INPUTS, **body}
        headers = {} if wait else {"Prefer": "respond-async"}
        return self.http.post(f"/processes/{process}/execution", json=asked, headers=headers)

    def job(self, **options: Any) -> str:
        """The path of a job that was started without waiting for it."""
        answer = self.execute(wait=False, **options)
        assert answer.status_code == 201, answer.text
        path: str = urlsplit(answer.headers["location"]).path
        return path

    def ended(self, job: str) -> dict[str, Any]:
        """The status of a job, once it has ended."""
        pause = threading.Event()
        for _ in range(2000):
            status: dict[str, Any] = self.document(job)
            if status["status"] not in {"accepted", "running"}:
                return status
            pause.wait(0.02)
        raise AssertionError(f"{job} does not end")


@pytest.fixture(scope="package")  # no longer: its worker looks for work all the time
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    """The service, for all of these tests."""
    settings = make_settings(tmp_path_factory.mktemp("service"), bundle_folder)
    settings = settings.model_copy(update={"callback_hosts": ("127.0.0.1",)})
    scene = make_scene(settings.source_folders[0] / "port.tif", 96, 128)
    app = make_app(settings)
    app.state.watching = Watching(app.state.services.ledger, pause=0.02)
    working, over = threading.Event(), threading.Event()
    working.set()
    busy = threading.Lock()
    worker = threading.Thread(target=_work, args=(settings, working, busy, over))
    structlog.configure(processors=[_silence])
    with TestClient(app, raise_server_exceptions=False) as http:
        worker.start()
        yield Service(http, scene, working, busy)
        over.set()
        worker.join()
    structlog.reset_defaults()


def _work(
    settings: Settings, working: threading.Event, busy: threading.Lock, over: threading.Event
) -> None:
    while not over.wait(0.02):
        with busy:
            if working.is_set():
                work_off(settings)


def _silence(*_: Any) -> Any:
    raise structlog.DropEvent


@pytest.fixture
def resting(service: Service) -> Iterator[Service]:
    """The service, whose worker takes no new job."""
    service.working.clear()
    with service.busy:  # what it is at, it ends
        pass
    yield service
    service.working.set()


@pytest.fixture(scope="package")
def explained(service: Service) -> str:
    """The path of a job of a scene that has succeeded."""
    inputs = {"scene": {"href": service.scene.as_uri()}, "model": "tiny", "classes": ["boat"]}
    job = service.job(process="explain", inputs=inputs)
    assert service.ended(job)["status"] == "successful"
    return job


@pytest.fixture(autouse=True)
def requirement(request: pytest.FixtureRequest) -> str | None:
    """The abstract test that this one is, if it is one."""
    name: str | None = getattr(request, "param", None)
    return name


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print which abstract test went how."""
    went = {
        report.nodeid.partition("[")[2].rstrip("]"): outcome
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if "tests/conformance/" in report.nodeid and "[" in report.nodeid
    }
    if went:
        terminalreporter.section("OGC API: requirement, outcome")
        for name, outcome in sorted(went.items()):
            terminalreporter.write_line(f"{name:<62} {outcome}")


Run = Callable[..., Any]
