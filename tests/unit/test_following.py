"""Jobs followed by the server's events, awaited or not, and where no stream comes through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

import geogaze
from api.watching import Watching
from geogaze.async_client import AsyncClient
from geogaze.client import Client
from geogaze.errors import NoAnswer, RemoteError, RemoteRefusal
from geogaze.following import Event
from tests.factories import make_scene
from tests.unit.api.serving import served
from tests.unit.ledger.suite import submit
from tests.unit.test_client import Server

STATUS = 'event: status\ndata: {{"status": "{}"}}\n\n'


@pytest.fixture
def server(tmp_path: Path, bundle_folder: Path) -> Iterator[Server]:
    server = Server(tmp_path, bundle_folder)
    server.app.state.watching = Watching(server.ledger, pause=0.01)
    yield server
    server.ledger.database.dispose()


@pytest.fixture
def address(server: Server) -> Iterator[str]:
    with served(server.app) as address:
        yield address


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may ask for the status."""

    def status(self: Client, job: str) -> Any:
        raise AssertionError("the job was polled")

    monkeypatch.setattr(Client, "status", status)


def test_events_come_until_the_job_has_ended(server: Server, address: str) -> None:
    job = submit(server.ledger, 2)
    seen = []
    with Client(address) as client:
        for event in client.events(str(job)):
            if event.name == "heat":  # there is more of it to see
                continue
            assert event.name == "status"
            seen.append(event.data["status"])
            if seen[-1] != "successful":
                server.work()
    assert (seen[0], seen[-1], seen.count("successful")) == ("accepted", "successful", 1)


def test_wait_listens_and_does_not_ask(server: Server, address: str, unasked: None) -> None:
    job = submit(server.ledger, 2)
    seen = []

    def on_status(status: dict[str, Any]) -> None:
        seen.append(status["status"])
        if status["status"] != "successful":
            server.work()

    with Client(address) as client:
        assert client.wait(str(job), on_status=on_status)["status"] == "successful"
    assert set(seen) == {"accepted", "running", "successful"}


def made_up(*answers: tuple[str, int, str]) -> httpx.MockTransport:
    """A server that answers, in this order, to what each path must end with."""
    due = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        ending, status, text = next(due)
        assert request.url.path.endswith(ending), request.url
        kind = "text/event-stream" if text.startswith("event") else "application/json"
        return httpx.Response(status, text=text, headers={"content-type": kind})

    return httpx.MockTransport(handle)


def of(transport: httpx.MockTransport) -> Client:
    client = Client("http://testserver")
    client.http.close()
    client.http = httpx.Client(base_url="http://testserver", transport=transport)
    return client


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    monkeypatch.setattr("geogaze.client.sleep", naps.append)
    return naps


RUNNING, DONE = '{"status": "running"}', '{"status": "successful"}'


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        (
            [
                ("/events", 200, STATUS.format("running")),
                ("/x", 200, RUNNING),
                ("/events", 200, STATUS.format("successful")),
            ],
            1,
        ),
        ([("/events", 404, "{}"), ("/x", 200, RUNNING), ("/x", 200, DONE)], 1),
        ([("/events", 200, RUNNING), ("/x", 200, RUNNING), ("/x", 200, DONE)], 1),
        ([("/events", 502, "<html>"), ("/x", 200, DONE)], 0),
    ],
    ids=["one that breaks is taken up", "an older server", "another document", "a gateway"],
)
def test_where_no_stream_comes_through_it_asks(
    answers: list[tuple[str, int, str]], pauses: int, naps: list[float]
) -> None:
    with of(made_up(*answers)) as client:
        assert client.wait("x")["status"] == "successful"
    assert len(naps) == pauses


def test_what_a_callback_raises_is_not_taken_for_an_outage(naps: list[float]) -> None:
    def on_status(status: dict[str, Any]) -> None:
        raise RemoteError("of the caller's own")

    with (
        of(made_up(("/events", 200, STATUS.format("running")))) as client,
        pytest.raises(RemoteError, match="of the caller's own"),
    ):
        client.wait("x", on_status=on_status)


def test_an_event_that_came_broken_is_asked_for_again(naps: list[float]) -> None:
    broken = 'event: status\ndata: {"status": \n\n'
    with of(made_up(("/events", 200, broken), ("/x", 200, DONE))) as client:
        assert client.wait("x")["status"] == "successful"
    with of(made_up(("/events", 200, broken))) as client, pytest.raises(NoAnswer, match="broken"):
        next(client.events("x"))


def test_what_is_wrong_with_events_is_told(address: str) -> None:
    with Client(address) as client:
        with pytest.raises(RemoteRefusal, match="404"):
            next(client.events(str(uuid4())))
        with pytest.raises(RemoteRefusal, match="404"):
            client.wait(str(uuid4()))
    with of(made_up(("/events", 200, RUNNING))) as client, pytest.raises(NoAnswer):
        next(client.events("x"))


def test_each_job_is_told_once_over_all_pages(
    server: Server, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.client._PAGE", 2)
    jobs = [str(submit(server.ledger)) for _ in range(5)]
    with Client(address) as client:
        assert [job["jobID"] for job in client.each_job()] == jobs[::-1]
        assert list(client.each_job(status=["failed"])) == []


def test_awaited_it_does_the_same(server: Server, address: str, tmp_path: Path) -> None:
    scene = make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)
    asked = {"scene": str(scene), "model": "tiny", "classes": ["boat"]}

    async def use() -> list[str]:
        async with geogaze.AsyncClient(address) as client:
            job = (await client.submit(asked, idempotency_key="monday"))["jobID"]
            assert [(await client.status(job))["jobID"]] == [
                each["jobID"] for each in await client.jobs()
            ]
            assert [each["jobID"] async for each in client.each_job()] == [job]
            events = client.events(job)
            assert (await anext(events)).data["status"] == "accepted"
            await events.aclose()
            seen = []
            with anyio.CancelScope() as scope:

                def on_status(status: dict[str, Any]) -> None:
                    seen.append(status["status"])
                    scope.cancel()  # it ends though the job does not

                await client.wait(job, on_status=on_status)
            assert seen == ["accepted"]
            server.ledger.dismiss(next(server.ledger.jobs(limit=1).__iter__()).id)
            seen.append((await client.wait(job))["status"])
            with pytest.raises(RemoteRefusal, match="404"):
                await client.wait(str(uuid4()))
            return seen

    assert asyncio.run(use()) == ["accepted", "dismissed"]


def test_awaited_it_asks_where_no_stream_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def events(self: AsyncClient, job: str) -> Any:
        raise RemoteError("A proxy waits for the end of it.")
        yield Event("", {})

    naps: list[float] = []
    plain = anyio.sleep

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await plain(0)

    monkeypatch.setattr(AsyncClient, "events", events)
    monkeypatch.setattr("geogaze.async_client.anyio.sleep", sleep)

    async def use() -> Any:
        async with AsyncClient("http://testserver") as client:
            client.client = of(made_up(*[("/x", 200, RUNNING)] * 2, ("/x", 200, DONE)))
            return await client.wait("x")

    assert asyncio.run(use())["status"] == "successful"
    assert naps == [0.5, 0.65]
