"""Subscribers, told over real HTTP: signed, again after a failure, and at least once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from api.callbacks import Callbacks
from geogaze.config import Settings
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Delivery, Job
from geogaze.ledger.transitions import close_job
from tests.unit.api.test_execution import EXECUTION, assert_says, check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient, make_app

SECRET = "between us"


@dataclass
class Subscriber:
    """What came, and how it is answered: the next of ``answers``, then 204."""

    url: str = ""
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    endless: bool = False
    told: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    heard = Subscriber()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.came.append((self.path, dict(self.headers), body))
            heard.told.set()
            self.send_response(heard.answers.pop(0) if heard.answers else 204)
            self.send_header("Location", f"{heard.url}/elsewhere")
            self.end_headers()
            if heard.endless:
                self.connection.settimeout(0.2)
                while not self.gone():
                    self.wfile.write(b"thank you ")

        def gone(self) -> bool:
            try:
                return self.connection.recv(1) == b""
            except TimeoutError:
                return False

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        heard.url = f"http://127.0.0.1:{server.server_port}"
        yield heard
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    secret = Settings(callback_secret=SECRET).callback_secret
    changes = {"callback_hosts": ("127.0.0.1",), "callback_secret": secret, "callback_attempts": 3}
    return settings.model_copy(update=changes)


@pytest.fixture
def http_(app: FastAPI) -> Iterator[TestClient]:
    """The API without its own thread for callbacks."""
    yield TestClient(app, raise_server_exceptions=False)
    app.state.services.ledger.database.dispose()


@pytest.fixture
def callbacks(app: FastAPI) -> Callbacks:
    return Callbacks(app.state.services)


def ask(client: TestClient, scene: Path, **uris: str) -> Any:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlays": False}
    return client.post(EXECUTION, json={"inputs": inputs, "subscriber": uris})


@pytest.fixture
def job(http_: TestClient, scene: Path, subscriber: Subscriber) -> UUID:
    answer = ask(
        http_,
        scene,
        successUri=f"{subscriber.url}/good?id=7",
        failedUri=f"{subscriber.url}/bad",
        inProgressUri=f"{subscriber.url}/begun",
    )
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["jobID"])


def send_one(callbacks: Callbacks) -> bool:
    """Send a message that is due, to the end. False if there was none."""

    async def send() -> bool:
        due = await callbacks._take(())
        if due is not None:
            await callbacks._send(due)
        return due is not None

    return asyncio.run(send())


def make_due(ledger: Ledger) -> None:
    """Wait out the pause between two tries."""
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Delivery).values(next_attempt_at=0.0))


def outbox(ledger: Ledger) -> list[Delivery]:
    with Session(ledger.database) as session:
        found = session.scalars(select(Delivery)).all()
        session.expunge_all()
        return list(found)


@pytest.mark.parametrize(
    ("uris", "says"),
    [
        ({"successUri": "http://elsewhere.example/x"}, r"successUri.*elsewhere\.example"),
        ({"successUri": "http://127.0.0.1/x", "failedUri": "http://10.0.0.1/"}, "failedUri"),
        ({"successUri": "http://127.0.0.1@elsewhere.example/"}, "elsewhere"),
        ({"successUri": "ftp://127.0.0.1/x"}, "successUri"),
        ({"failedUri": "http://127.0.0.1/x"}, "successUri"),
        ({"successUri": "http://127.0.0.1/x", "alsoUri": "http://127.0.0.1/y"}, "alsoUri"),
    ],
)
def test_who_is_not_on_the_list_is_not_called(
    http_: TestClient, ledger: Ledger, scene: Path, uris: dict[str, str], says: str
) -> None:
    answer = ask(http_, scene, **uris)
    check_problem(answer, 400)
    assert_says(answer.json()["detail"], says)
    assert ledger.jobs(limit=9) == []


def test_a_success_brings_the_results(
    http_: TestClient, ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    assert not send_one(callbacks), "it has only been accepted"
    end(ledger, job, JobState.RUNNING)
    assert send_one(callbacks)
    (path, headers, body) = subscriber.came[0]
    assert (path, headers["Geogaze-Event"]) == ("/begun", "inProgress")
    assert json.loads(body)["status"] == "running"
    assert json.loads(body)["links"][0]["href"] == f"http://testserver/jobs/{job}"
    with Session(ledger.database) as session, session.begin():
        made = {"key": "jobs/x", "file": "heat-boat.tif", "type": "image/tiff", "size": 7}
        session.execute(update(Job).values(assets={"files": {"heat-boat": made}, "skipped": []}))
        close_job(session, job, JobState.SUCCESSFUL, "done")
    assert send_one(callbacks)
    assert not send_one(callbacks)
    (path, headers, body) = subscriber.came[1]
    assert path == "/good?id=7"
    assert headers["Content-Type"] == "application/json"
    assert (headers["Geogaze-Job"], headers["Geogaze-Event"]) == (str(job), "success")
    assert json.loads(body) == http_.get(f"/jobs/{job}/results").json()


def test_proxies_of_the_environment_are_not_asked(
    ledger: Ledger,
    callbacks: Callbacks,
    job: UUID,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They may lead to where no list allows."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    end(ledger, job, JobState.RUNNING)
    assert send_one(callbacks)
    assert [path for path, *_ in subscriber.came] == ["/begun"]


def test_a_failure_brings_the_status(
    http_: TestClient, ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    end(ledger, job, JobState.FAILED)
    while send_one(callbacks):
        pass
    told = {path: json.loads(body) for path, _, body in subscriber.came}
    assert set(told) == {"/begun", "/bad"}
    assert told["/bad"] == http_.get(f"/jobs/{job}").json()
    assert "damaged" in told["/bad"]["message"]


def test_the_signature_covers_time_and_body(
    ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    end(ledger, job, JobState.RUNNING)
    send_one(callbacks)
    ((_, headers, body),) = subscriber.came
    told = dict(part.split("=", 1) for part in headers["Geogaze-Signature"].split(","))
    assert abs(time.time() - int(told["t"])) < 60
    signed = told["t"].encode() + b"." + body
    assert told["v1"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def test_the_check_in_the_documentation_works(
    ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)  # the one example
    is_genuine = names["is_genuine"]
    end(ledger, job, JobState.RUNNING)
    send_one(callbacks)
    ((_, headers, body),) = subscriber.came
    signature = headers["Geogaze-Signature"]
    assert is_genuine(signature, body, SECRET)
    assert not is_genuine(signature, body + b" ", SECRET)
    assert not is_genuine(signature, body, "a guess")
    assert not is_genuine(signature, body, SECRET, seconds=-1)
    later = signature.replace("t=1", "t=2", 1)
    assert not is_genuine(later, body, SECRET)


def test_without_a_secret_nothing_is_signed(
    settings: Settings, scene: Path, subscriber: Subscriber
) -> None:
    app = make_app(settings.model_copy(update={"callback_secret": None}))
    client = TestClient(app)
    ledger = app.state.services.ledger
    job = ask(
        client, scene, successUri=f"{subscriber.url}/a", inProgressUri=f"{subscriber.url}/b"
    ).json()["jobID"]
    end(ledger, UUID(job), JobState.RUNNING)
    assert send_one(Callbacks(app.state.services))
    ((_, headers, _),) = subscriber.came
    assert "Geogaze-Signature" not in headers
    ledger.database.dispose()


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_was_not_taken_comes_again(
    ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber, status: int
) -> None:
    subscriber.answers = [status]
    end(ledger, job, JobState.RUNNING)
    assert send_one(callbacks)
    (waiting,) = outbox(ledger)
    assert waiting.delivered is None
    assert str(status) in (waiting.error or "")
    make_due(ledger)
    assert send_one(callbacks)
    make_due(ledger)
    assert not send_one(callbacks)
    first, second = subscriber.came
    assert first[1]["Geogaze-Delivery"] == second[1]["Geogaze-Delivery"]
    assert (first[0], first[2]) == (second[0], second[2]) == ("/begun", first[2])
    (done,) = outbox(ledger)
    assert done.delivered is not None
    assert done.error is None


def test_a_subscriber_that_never_takes_it_is_let_be(
    ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    subscriber.answers = [500] * 9
    end(ledger, job, JobState.RUNNING)
    for _ in range(9):
        send_one(callbacks)
        make_due(ledger)
    assert len(subscriber.came) == 3


def test_a_process_that_dies_before_noting_it_has_it_sent_twice(
    ledger: Ledger,
    callbacks: Callbacks,
    job: UUID,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    end(ledger, job, JobState.RUNNING)
    with monkeypatch.context() as dying:
        dying.setattr(callbacks._deliveries, "delivered", killed)
        with pytest.raises(SystemExit):
            send_one(callbacks)
    assert not send_one(callbacks), "it is held for a while"
    make_due(ledger)
    assert send_one(callbacks)
    assert len(subscriber.came) == 2


def test_what_cannot_be_told_does_not_keep_others_waiting(
    ledger: Ledger,
    callbacks: Callbacks,
    app: FastAPI,
    job: UUID,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Signing links may fail in ways of boto's own."""

    def broken(*_: object) -> None:
        raise LookupError("Unable to locate credentials")

    end(ledger, job, JobState.SUCCESSFUL)
    with Session(ledger.database) as session, session.begin():
        session.execute(
            update(Delivery).where(Delivery.event == "inProgress").values(next_attempt_at=1.0)
        )
    monkeypatch.setattr("api.callbacks.result_links", broken)
    assert send_one(callbacks)
    assert send_one(callbacks)
    assert [path for path, _, _ in subscriber.came] == ["/begun"]
    assert {d.event: d.error for d in outbox(ledger)} == {
        "inProgress": None,
        "success": "Unable to locate credentials",
    }


@pytest.mark.timeout(30)
def test_an_answer_without_end_is_not_listened_to(
    ledger: Ledger, callbacks: Callbacks, job: UUID, subscriber: Subscriber
) -> None:
    subscriber.endless = True
    subscriber.answers = [200]
    end(ledger, job, JobState.RUNNING)
    assert send_one(callbacks)
    assert outbox(ledger)[0].delivered is not None


def test_the_api_tells_by_itself(
    http: TestClient, ledger: Ledger, scene: Path, subscriber: Subscriber
) -> None:
    job = ask(http, scene, successUri=f"{subscriber.url}/good").json()["jobID"]
    end(ledger, UUID(job), JobState.SUCCESSFUL)
    for _ in range(500):
        if subscriber.came:
            break
        time.sleep(0.02)
    ((path, headers, _),) = subscriber.came
    assert (path, headers["Geogaze-Job"]) == ("/good", job)


@pytest.fixture
def slow() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A subscriber that sends a byte of its headers now and then: address, came, let it end."""
    came, enough = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.set()
            try:
                self.wfile.write(b"HTTP/1.1 204 ")
                while not enough.wait(0.02):
                    self.wfile.write(b"x")
            except OSError:
                return  # hung up on

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came, enough
        finally:
            enough.set()
            server.shutdown()
            thread.join()


Slow = tuple[str, threading.Event, threading.Event]


@pytest.mark.timeout(60)
def test_a_delivery_has_one_deadline_for_all_of_it(
    http_: TestClient, ledger: Ledger, app: FastAPI, scene: Path, slow: Slow
) -> None:
    """Each byte comes in time; all of them never do."""
    url, came, _ = slow
    job = ask(http_, scene, successUri=f"{url}/x", inProgressUri=f"{url}/y").json()["jobID"]
    end(ledger, UUID(job), JobState.RUNNING)
    assert send_one(Callbacks(app.state.services, seconds=0.5))
    assert came.is_set()
    (waiting,) = outbox(ledger)
    assert (waiting.delivered, waiting.error) == (None, "TimeoutError")


async def run_until(callbacks: Callbacks, done: threading.Event) -> bool:
    running = asyncio.create_task(callbacks.run())
    try:
        return await asyncio.to_thread(done.wait, 30)
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.timeout(60)
def test_nobody_waits_for_anothers_subscriber(
    http_: TestClient,
    ledger: Ledger,
    app: FastAPI,
    scene: Path,
    slow: Slow,
    subscriber: Subscriber,
) -> None:
    """One address holds no more than its share of what is sent at once."""
    url, _, enough = slow
    for _ in range(4):
        job = ask(http_, scene, successUri=f"{url}/x", inProgressUri=f"{url}/y").json()["jobID"]
        end(ledger, UUID(job), JobState.RUNNING)
    good = ask(
        http_, scene, successUri=f"{subscriber.url}/x", inProgressUri=f"{subscriber.url}/y"
    ).json()["jobID"]
    end(ledger, UUID(good), JobState.RUNNING)
    with Session(ledger.database) as session, session.begin():
        session.execute(
            update(Delivery).where(Delivery.job_id == UUID(good)).values(next_attempt_at=1.0)
        )
        session.execute(
            update(Delivery).where(Delivery.job_id != UUID(good)).values(next_attempt_at=0.0)
        )
    callbacks = Callbacks(app.state.services, seconds=600, at_once=3, each=2)
    assert asyncio.run(run_until(callbacks, subscriber.told))
    assert not enough.is_set(), "the slow one was still at it"
    assert [headers["Geogaze-Job"] for _, headers, _ in subscriber.came] == [good]


@pytest.mark.parametrize("moment", ["take", "delivered"])
@pytest.mark.parametrize(
    "outage",
    [
        OperationalError("SELECT", {}, ConnectionError("gone")),
        InternalError("UPDATE", {}, Exception("cannot execute UPDATE in a read-only transaction")),
        TimeoutError("QueuePool limit reached"),
    ],
    ids=["away", "read-only", "pool"],
)
@pytest.mark.timeout(60)
def test_an_outage_of_the_database_does_not_end_callbacks(
    ledger: Ledger,
    callbacks: Callbacks,
    job: UUID,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    outage: Exception,
) -> None:
    end(ledger, job, JobState.RUNNING)
    real, asked = getattr(callbacks._deliveries, moment), []
    noted = threading.Event()

    def flaky(*args: Any, **options: Any) -> Any:
        asked.append(args)
        if len(asked) == 1:
            if moment == "delivered":
                make_due(ledger)  # as when the hold has run out
            raise outage
        found = real(*args, **options)
        if subscriber.came:
            noted.set()
        return found

    monkeypatch.setattr("api.callbacks._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(callbacks._deliveries, moment, flaky)
    assert asyncio.run(run_until(callbacks, noted))
    assert len(subscriber.came) == (2 if moment == "delivered" else 1)
