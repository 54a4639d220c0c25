"""The client, against the API in this process and a file server of its own."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from geogaze import client as client_module
from geogaze import following
from geogaze.client import Client
from geogaze.errors import JobFailed, NoAnswer, RemoteError, RemoteRefusal, SceneUnreadable
from geogaze.following import Event
from geogaze.ledger.claims import Claims
from geogaze.ledger.store import Ledger
from geogaze.storage import FolderStorage
from tests.factories import make_scene
from tests.unit.api.testing import TestClient, due, make_app, make_settings
from tests.unit.ledger.suite import patience, submit


class Server:
    """The API, its ledger and storage, and the steps a worker would do."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.settings = make_settings(folder, bundle)
        self.app = make_app(self.settings)
        self.ledger: Ledger = self.app.state.services.ledger
        self.storage: FolderStorage = self.app.state.services.storage
        self.claims = Claims(self.ledger.database, lease_seconds=60, patience=patience(3))

    def work(self, files: dict[str, str] | None = None, error: Exception | None = None) -> None:
        """Do one unit; the last brings the products, file names by product."""
        unit = due(self.ledger.database)
        assert unit
        claim = self.claims.claim(unit, "worker")
        assert claim
        if error is not None:
            self.claims.give_up(claim, SceneUnreadable(str(error)))
            return
        products = {}
        for name, file in (files or {}).items():
            key = f"{claim.prefix}{name}"
            data = name.encode()
            self.storage.put(key, data)
            described = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            products[name] = {"key": key, "file": file, "type": "image/tiff", **described}
        self.claims.commit(claim, {"assets": {"files": products, "skipped": []}}, items=10)


@pytest.fixture
def server(tmp_path: Path, bundle_folder: Path) -> Iterator[Server]:
    server = Server(tmp_path, bundle_folder)
    yield server
    server.ledger.database.dispose()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client("http://testserver") as client:
        client.http.close()
        client.http = TestClient(server.app, raise_server_exceptions=False)
        yield client


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been, where no stream of events comes through."""
    naps: list[float] = []

    def events(self: Client, job: str) -> Iterator[Event]:
        raise RemoteError("A proxy waits for the end of it.")
        yield

    monkeypatch.setattr(Client, "events", events)
    monkeypatch.setattr(client_module, "sleep", naps.append)
    return naps


def answering(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    """A client of a server made up."""
    client = Client("http://testserver")
    client.http.close()
    client.http = httpx.Client(base_url="http://testserver", transport=httpx.MockTransport(handler))
    return client


def test_submit_status_list_and_dismiss(server: Server, client: Client) -> None:
    scene = make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)
    job = client.submit({"scene": str(scene), "model": "tiny", "classes": ["boat"]})
    assert job["status"] == "accepted"
    assert server.ledger.status(UUID(job["jobID"])).state == "accepted"
    assert client.status(job["jobID"]) == job
    assert client.jobs() == [job]
    assert client.inputs(job["jobID"])["scene"] == str(scene)
    assert client.jobs(status=["failed", "dismissed"]) == []
    assert client.dismiss(job["jobID"])["status"] == "dismissed"
    assert len(client.jobs(limit=1, status=["dismissed"])) == 1


def test_a_key_and_a_subscriber_go_along(server: Server, client: Client) -> None:
    scene = make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)
    inputs = {"scene": str(scene), "model": "tiny"}
    job = client.submit(inputs, idempotency_key="monday")
    assert client.submit(inputs, idempotency_key="monday") == job
    with pytest.raises(RemoteRefusal, match=r"'monday'.*HTTP 422"):
        client.submit({**inputs, "overlap": 0}, idempotency_key="monday")
    with pytest.raises(RemoteRefusal, match=r"hook\.example.*HTTP 400"):
        client.submit(inputs, subscriber={"successUri": "https://hook.example/done"})


class Losing(httpx.BaseTransport):
    """Passes requests on, and loses the answers to the first few."""

    def __init__(self, server: Server, lost: int) -> None:
        self._client = TestClient(server.app, raise_server_exceptions=False)
        self.lost = lost

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._client.send(request)
        answer.read()
        self.lost -= 1
        if self.lost >= 0:
            raise httpx.ReadTimeout("timed out", request=request)
        return answer


@pytest.mark.parametrize("lost", [1, 2])
def test_a_submission_whose_answer_is_lost_makes_one_job(
    server: Server, client: Client, naps: list[float], lost: int
) -> None:
    scene = make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)
    inputs = {"scene": str(scene), "model": "tiny"}
    client.http = httpx.Client(base_url="http://testserver", transport=Losing(server, lost))
    job = client.submit(inputs)
    assert [str(made.id) for made in server.ledger.jobs(limit=9)] == [job["jobID"]]
    assert len([nap for nap in naps if nap]) == lost
    assert client.submit(inputs)["jobID"] != job["jobID"], "asked for anew, it is another"


def test_a_submission_that_is_never_answered_tells_the_key_to_ask_again_with(
    server: Server, client: Client, naps: list[float]
) -> None:
    scene = make_scene(server.settings.source_folders[0] / "port.tif", 96, 96)
    inputs = {"scene": str(scene), "model": "tiny"}
    client.http = httpx.Client(base_url="http://testserver", transport=Losing(server, 3))
    with pytest.raises(NoAnswer, match=r"again with the key '\w{32}'") as told:
        client.submit(inputs)
    [made] = server.ledger.jobs(limit=9)
    key = str(told.value).split("'")[-2]
    assert client.submit(inputs, idempotency_key=key)["jobID"] == str(made.id)


def test_where_nobody_listens_nothing_is_sent_again(naps: list[float]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(RemoteError, match="Is it running"):
        answering(refuse).submit({"scene": "port.tif"})
    assert not any(naps)


def test_retry_and_skipped(server: Server, client: Client) -> None:
    job = str(submit(server.ledger))
    with pytest.raises(RemoteRefusal, match="only a failed job"):
        client.retry(job)
    server.work(error=ValueError("damaged"))
    with pytest.raises(RemoteRefusal):
        client.skipped(job)
    assert client.retry(job)["status"] == "running"
    server.work()
    server.work({"heat-boat": "heat-boat.tif"})
    assert client.skipped(job) == []


def test_wait_polls_until_the_end(server: Server, client: Client, naps: list[float]) -> None:
    job = submit(server.ledger, 20)
    seen = []

    def on_status(status: dict[str, Any]) -> None:
        seen.append(status["status"])
        if status["status"] != "successful":
            server.work()

    assert client.wait(str(job), on_status=on_status)["status"] == "successful"
    assert seen == ["accepted", *["running"] * 20, "successful"]
    assert len(naps) == 21
    assert naps[0] == 0.5
    assert naps == sorted(naps)
    assert naps[-1] == 5.0


@pytest.mark.parametrize("state", ["failed", "dismissed"])
def test_wait_ends_with_any_end(
    server: Server, client: Client, naps: list[float], state: str
) -> None:
    job = submit(server.ledger)
    if state == "failed":
        server.work(error=ValueError("damaged"))
    else:
        server.ledger.dismiss(job)
    assert client.wait(str(job))["status"] == state
    assert naps == []


def outages(monkeypatch: pytest.MonkeyPatch, *lasting: range) -> None:
    """Polls, counted from 0, that find no API or a gateway that says so."""
    asked = iter(range(1000))
    plain = Client.status

    def status(self: Client, job: str) -> Any:
        poll = next(asked)
        if any(poll in out for out in lasting):
            raise RemoteError("No geogaze API answers")
        return plain(self, job)

    monkeypatch.setattr(Client, "status", status)


def test_wait_survives_an_api_that_restarts(
    server: Server, client: Client, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(server.ledger, 1)
    outages(monkeypatch, range(1, 4), range(5, 7))
    told: list[str] = []
    status = client.wait(
        str(job),
        on_status=lambda status: server.work() if status["status"] != "successful" else None,
        on_away=lambda error: told.append(str(error)),
    )
    assert status["status"] == "successful"
    assert told == ["No geogaze API answers"] * 5


def test_wait_gives_up_on_an_api_that_stays_away(
    server: Server, client: Client, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(server.ledger, 1)
    outages(monkeypatch, range(1, 1000))
    monkeypatch.setattr(following, "monotonic", lambda: sum(naps))
    with pytest.raises(RemoteError, match="No geogaze API"):
        client.wait(str(job))
    assert 300 < sum(naps) < 310


def test_wait_asks_once_where_nobody_ever_answered(
    client: Client, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    outages(monkeypatch, range(1000))
    with pytest.raises(RemoteError):
        client.wait("4f0c")
    assert naps == []


def test_wait_does_not_wait_for_a_job_that_is_not_there(client: Client, naps: list[float]) -> None:
    with pytest.raises(RemoteRefusal, match="404"):
        client.wait(str(uuid4()))
    assert naps == []


def test_download(server: Server, client: Client, tmp_path: Path) -> None:
    job = submit(server.ledger)
    server.work()
    server.work({"heat-boat": "heat-boat.tif", "item": "item.json"})
    fetched: list[str] = []
    target = tmp_path / "new" / "folder"
    files = client.download(str(job), target, on_file=fetched.append)
    assert files == {"heat-boat": target / "heat-boat.tif", "item": target / "item.json"}
    assert fetched == ["heat-boat", "item"]
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "heat-boat.tif": "heat-boat",
        "item.json": "item",
    }


def test_a_server_cannot_write_outside_the_folder(tmp_path: Path) -> None:
    link = {"href": "http://testserver/x", "type": "image/tiff", "title": "../../evil.tif"}

    def evil(request: httpx.Request) -> httpx.Response:
        results = request.url.path.endswith("/results")
        return httpx.Response(200, json={"heat-boat": link} if results else {})

    files = answering(evil).download("job", tmp_path / "a" / "b")
    assert files == {"heat-boat": tmp_path / "a" / "b" / "evil.tif"}
    assert not (tmp_path / "evil.tif").exists()


def test_a_lost_product_leaves_no_half_file(server: Server, client: Client, tmp_path: Path) -> None:
    job = submit(server.ledger)
    server.work()
    server.work({"heat-boat": "heat-boat.tif"})
    server.storage.delete("jobs/")
    with pytest.raises(RemoteError, match=r"heat-boat\.tif"):
        client.download(str(job), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


class Files(http.server.BaseHTTPRequestHandler):
    """Serves /whole; ends /short before its promised length; knows nothing else."""

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * (1000 if self.path == "/whole" else 10))
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def files_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_products_come_over_http_whole_or_not_at_all(files_url: str, tmp_path: Path) -> None:
    def results(request: httpx.Request) -> httpx.Response:
        name = request.url.path.split("/")[2]
        link = {"href": f"{files_url}/{name}", "type": "image/tiff", "title": f"{name}.tif"}
        return httpx.Response(200, json={"heat": link})

    client = answering(results)
    client.http._mounts[httpx._utils.URLPattern(files_url)] = httpx.HTTPTransport()
    assert client.download("whole", tmp_path)["heat"].read_bytes() == b"x" * 1000
    for broken in ("short", "none"):
        with pytest.raises(RemoteError, match=f"{broken}.tif"):
            client.download(broken, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole.tif"]


def test_refusals_carry_the_servers_words(server: Server, client: Client) -> None:
    with pytest.raises(RemoteError, match=r"not an allowed source.*HTTP 400"):
        client.submit({"scene": "/etc/passwd", "model": "tiny"})
    with pytest.raises(RemoteError, match=r"no job.*HTTP 404"):
        client.status(str(uuid4()))
    job = submit(server.ledger)
    with pytest.raises(RemoteError, match=r"accepted.*HTTP 404"):
        client.results(str(job))


def test_results_of_a_failed_job_raise_its_failure(server: Server, client: Client) -> None:
    job = submit(server.ledger)
    server.work(error=ValueError("'port.tif' is damaged"))
    with pytest.raises(JobFailed, match="damaged"):
        client.results(str(job))


def test_an_address_where_nothing_listens() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(RemoteError, match=r"127\.0\.0\.1:9"),
    ):
        client.jobs()


@pytest.mark.parametrize("url", ["localhost:8080", "", "http://host:port", "http://["])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(RemoteError), Client(url) as client:
        client.jobs()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Welcome to nginx!</html>"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(500, json=["no", "problem"]),
        httpx.Response(429, text="Slow down"),
        httpx.Response(302, headers={"Location": "http://login.example.org"}),
    ],
    ids=["a page", "a proxy's error", "a list", "a busy gateway", "a redirect"],
)
def test_some_other_server(answer: httpx.Response) -> None:
    with pytest.raises(RemoteError) as told:
        answering(lambda request: answer).status("1")
    assert not isinstance(told.value, RemoteRefusal), "nobody said that the request was wrong"
