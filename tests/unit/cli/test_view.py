"""A job's folder on a server of this machine: ranges, and nothing that lies elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from geogaze.cli import view
from geogaze.errors import InvalidRequest
from geogaze.products.page.assembling import page_html
from geogaze.serving import FolderServer

DATA = bytes(range(256)) * 16
ITEM = {"properties": {"geogaze:model": "a"}, "assets": {"heat-boat": {"href": "./heat-boat.tif"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("jobs")
    for name in ("heat", "other"):
        (root / name / ".geogaze-work").mkdir(parents=True)
        (root / name / "item.json").write_text(json.dumps(ITEM))
    (root / "heat" / "heat-boat.tif").write_bytes(DATA)
    (root / "heat" / ".geogaze-work" / "ledger").write_text("work")
    (root / "other" / "index.html").write_text("its own")
    (root / "secret.txt").write_text("secret")
    (root / "heat" / "away.txt").symlink_to(root / "secret.txt")
    return root / "heat"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FolderServer]:
    with FolderServer({"": folder, "beside": folder.parent / "other"}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: FolderServer, path: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("", 200, 0, 4096),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=4000-", 206, 4000, 4096),
        ("bytes=4000-9999", 206, 4000, 4096),
        ("bytes=-8", 206, 4088, 4096),
        ("bytes=-9999", 206, 0, 4096),
        ("bytes=0-1,5-6", 200, 0, 4096),  # several at once are not promised
    ],
)
def test_ranges_are_slices(
    server: FolderServer, asked: str, status: int, start: int, stop: int
) -> None:
    answer, body = ask(server, "/heat-boat.tif", Range=asked)
    assert (answer.status, body) == (status, DATA[start:stop])
    if status == 206:
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/4096"
    assert answer.headers["Content-Type"] == "image/tiff"
    head, nothing = ask(server, "/heat-boat.tif", "HEAD", Range=asked)
    assert (head.status, nothing) == (status, b"")
    assert head.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=4096-", "bytes=9-3", "bytes=-0", "bytes=-"])
def test_a_range_that_is_none_is_refused(server: FolderServer, asked: str) -> None:
    answer, body = ask(server, "/heat-boat.tif", Range=asked)
    assert (answer.status, body) == (416, b"")
    assert answer.headers["Content-Range"] == "bytes */4096"


def test_what_is_known_is_not_sent_again(server: FolderServer, folder: Path) -> None:
    tag = ask(server, "/heat-boat.tif")[0].headers["ETag"]
    assert ask(server, "/heat-boat.tif", If_None_Match=tag)[0].status == 304
    assert ask(server, "/heat-boat.tif", If_Range=tag, Range="bytes=0-1")[0].status == 206
    assert ask(server, "/heat-boat.tif", If_Range='"other"', Range="bytes=0-1")[0].status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/beside/../../secret.txt",
        "//../secret.txt",
        "/..%2fsecret.txt",
        "/away.txt",
        "/.geogaze-work/ledger",
        "/%00",
        "/nothing.tif",
        "/.geogaze-work",
    ],
)
def test_nothing_outside_of_the_folder_is_shown(server: FolderServer, path: str) -> None:
    assert ask(server, path)[0].status == 404


def test_only_this_machine_is_answered(server: FolderServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "/item.json", Host="evil.example")[0].status == 403
    assert ask(server, "/item.json", "POST")[0].status == 501


def test_a_folder_without_a_page_is_shown_by_ours(server: FolderServer) -> None:
    for path in ("/", "/index.html"):
        answer, body = ask(server, path)
        assert (answer.status, body.decode()) == (200, page_html())
    assert ask(server, "/beside/")[1] == b"its own"
    assert json.loads(ask(server, "/beside/item.json")[1]) == ITEM


def test_a_port_that_is_taken_is_told(server: FolderServer, folder: Path) -> None:
    with pytest.raises(InvalidRequest, match=str(server.server_port)):
        FolderServer({"": folder}, server.server_port)


def test_the_browser_is_led_to_a_job_on_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    links = {"page": {"href": "http://api.example/jobs/4f0c/assets/index.html"}}
    opened: list[str] = []
    monkeypatch.setattr("geogaze.client.Client.results", lambda self, job: links)
    monkeypatch.setattr("webbrowser.open", opened.append)
    view.view("4f0c", api="http://api.example")
    assert opened == [links["page"]["href"]]
    assert opened[0] in capsys.readouterr().out
    links.clear()
    with pytest.raises(InvalidRequest, match="results 4f0c --download"):
        view.view("4f0c", api="http://api.example")


def test_a_folder_of_something_else_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"no item\.json"):
        view.view(str(tmp_path), no_browser=True)
    compared = {"properties": {"geogaze:compared": ["a", "b"]}, "assets": {}}
    (tmp_path / "item.json").write_text(json.dumps(compared))
    with pytest.raises(InvalidRequest, match=r"no item\.json"):
        view.view(str(folder), tmp_path, no_browser=True)


def test_a_comparison_is_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = {"properties": {"geogaze:compared": ["a", "b"]}, "assets": {}}
    (tmp_path / "item.json").write_text(json.dumps(compared))
    served: list[Path] = []
    monkeypatch.setattr(FolderServer, "serve_forever", lambda self: served.append(self.find("/")))
    view.view(str(tmp_path), no_browser=True)
    assert served == [tmp_path.resolve() / "index.html"]
