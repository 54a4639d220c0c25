"""The geogaze API from Python.

client = Client("http://localhost:8080")
job = client.submit({"scene": "s3://imagery/port.tif", "classes": ["ship"]})
client.wait(job["jobID"])
client.download(job["jobID"], Path("out"))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import sleep
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
from typing_extensions import override

from geogaze.answers import answer_of, event_of, no_answer
from geogaze.documents import Asset, Layer, Quote, Skipped, Status
from geogaze.errors import NoAnswer, RemoteError, RemoteRefusal
from geogaze.following import AWAY_SECONDS, SILENT_SECONDS, Document, Event, Waiting
from geogaze.registering import Registering
from geogaze.seen import Seen, seen_in
from geogaze.uploading import Sending

_PAGE = 100  # jobs asked for at once
_SEND_AGAIN_SECONDS = (1.0, 5.0)


class Client(Registering):
    """Talks OGC API – Processes to a geogaze server.

    Args:
        url: its address.
        timeout: seconds that it may be silent.
        key: a key of the server's, or a token; None takes that of ``GEOGAZE_API_KEY``, if any. It
            is sent to the server, and not along where that leads on to another host.
    """

    def __init__(self, url: str, *, timeout: float = 30.0, key: str | None = None) -> None:
        key = key if key is not None else os.environ.get("GEOGAZE_API_KEY")
        shown = {"Authorization": f"Bearer {key.strip()}"} if key and key.strip() else {}
        try:
            self.http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout, headers=shown)
        except httpx.InvalidURL as error:
            raise RemoteRefusal(f"{url!r} is not the address of an API: {error}") from error
        except UnicodeEncodeError as error:
            raise RemoteRefusal("GEOGAZE_API_KEY has characters that no key has.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def submit(
        self,
        inputs: Document,
        *,
        process: str = "explain",
        idempotency_key: str | None = None,
        subscriber: Document | None = None,
    ) -> Status:
        """Start a job; its status. The same ``idempotency_key`` always returns the same job.

        ``inputs`` are those of the ``process``.

        A request that got no answer is sent again; it has a key of its own where none is given, so
        that it makes one job at most.

        Raises:
            RemoteRefusal: the request is wrong; the message is the problem's detail.
            RemoteError: the server failed or is not there.
        """
        body = {"inputs": inputs, **({"subscriber": subscriber} if subscriber else {})}
        key = idempotency_key or uuid4().hex
        lost: RemoteError | None = None
        for pause in (0.0, *_SEND_AGAIN_SECONDS):
            sleep(pause)
            try:
                status: Status = self._json(
                    "POST",
                    f"/processes/{process}/execution",
                    json=body,
                    headers={"Idempotency-Key": key, "Prefer": "respond-async"},
                )
            except RemoteRefusal:
                raise
            except RemoteError as error:
                if lost is None and not isinstance(error, NoAnswer):
                    raise  # no job came of it
                lost = error
            else:
                return status
        raise NoAnswer(
            f"{lost} The job may have been accepted all the same: asked for again with the key "
            f"{key!r}, it is not made twice."
        ) from lost

    def upload(
        self, path: Path, *, on_bytes: Callable[[int, int], None] = lambda sent, of: None
    ) -> str:
        """Bring a scene to the server; the address that jobs take. It goes on where it broke off.

        Args:
            path: the file.
            on_bytes: told how many of its bytes are there, and how many it has.

        Raises:
            RemoteRefusal: it is too large, no scene, or was changed meanwhile.
            RemoteError: the server or its storage stayed away.
        """
        return str(Sending(self._json, self.http, path, on_bytes).run()["scene"])

    def quote(self, inputs: Document, *, process: str = "explain") -> Quote:
        """What a job of these inputs takes: tiles, layers, bytes. Nothing is started.

        Raises:
            RemoteRefusal: the request is wrong; the message is the problem's detail.
            RemoteError: the server failed or is not there.
        """
        quote: Quote = self._json("POST", f"/processes/{process}/quote", json={"inputs": inputs})
        return quote

    def status(self, job: str) -> Status:
        """A job's status."""
        status: Status = self._json("GET", f"/jobs/{job}")
        return status

    def jobs(self, *, limit: int = 20, status: list[str] | None = None) -> list[Status]:
        """Jobs, newest first."""
        parameters: Document = {"limit": limit, **({"status": status} if status else {})}
        found: list[Status] = self._json("GET", "/jobs", params=parameters)["jobs"]
        return found

    def each_job(self, *, status: list[str] | None = None) -> Iterator[Status]:
        """All jobs, newest first, a page at a time as they are asked for."""
        parameters: Document = {"limit": _PAGE, **({"status": status} if status else {})}
        page = self._json("GET", "/jobs", params=parameters)
        while True:
            yield from page["jobs"]
            following = [link["href"] for link in page["links"] if link["rel"] == "next"]
            if not following:
                return
            page = self._json("GET", following[0])

    def workers(self) -> list[Document]:
        """Living workers: ``name``, ``device``, ``model``, ``slots``, ``seen``, ``units``.

        Raises:
            RemoteRefusal: the key is none of the scope ``admin``.
            RemoteError: the server failed or is not there.
        """
        found: list[Document] = self._json("GET", "/workers")["workers"]
        return found

    def inputs(self, job: str) -> Document:
        """What a job was asked for: its inputs, complete, to be submitted again or changed."""
        inputs: Document = self._json("GET", f"/jobs/{job}/inputs")
        return inputs

    def layers(self, job: str) -> list[Layer]:
        """A job's layers for maps."""
        found: list[Layer] = self._json("GET", f"/jobs/{job}/layers")["layers"]
        return found

    def value(self, job: str, layer: str, lon: float, lat: float) -> float | None:
        """The value of a layer's cell at a place in degrees; None where there is none."""
        answer = self._json("GET", f"/jobs/{job}/layers/{quote(layer, safe='')}/point/{lon},{lat}")
        value: float | None = answer["values"][0]
        return value

    def classes(self, job: str) -> dict[str, Seen]:
        """What the model says of each layer's class, those of most tiles first.

        Raises:
            RemoteRefusal: there is no such job, or it has not succeeded.
        """
        return seen_in(self._json("GET", f"/collections/explain/items/{job}"))

    def results(self, job: str) -> dict[str, Asset]:
        """The products by name."""
        links = {"transmissionMode": "reference"}  # whatever was asked for when it was submitted
        found: dict[str, Asset] = self._json("GET", f"/jobs/{job}/results", params=links)
        return found

    def retry(self, job: str) -> Status:
        """Go on with a failed job, redoing only what is missing; its status."""
        status: Status = self._json("POST", f"/jobs/{job}/retry")
        return status

    def skipped(self, job: str) -> list[Skipped]:
        """Tiles that a successful job went on without."""
        found: list[Skipped] = self._json("GET", f"/jobs/{job}/skipped")["skipped"]
        return found

    def dismiss(self, job: str) -> Status:
        """Cancel a job, or remove a finished one with its products; its status."""
        status: Status = self._json("DELETE", f"/jobs/{job}")
        return status

    def events(self, job: str) -> Generator[Event]:
        """What the server tells of a job: its status at once and whenever it changes, and that
        there is more to see; until it has ended.

        Raises:
            RemoteRefusal: there is no such job.
            RemoteError: the server is away, or something between lets no stream through.
        """
        from httpx_sse import connect_sse

        silent = httpx.Timeout(SILENT_SECONDS, connect=self.http.timeout.connect)
        try:
            stream = connect_sse(self.http, "GET", f"/jobs/{job}/events", timeout=silent)
            with stream as source:
                if not source.response.is_success:
                    source.response.read()
                    answer_of(source.response)
                for sse in source.iter_sse():
                    yield event_of(sse)
        except httpx.HTTPError as error:
            raise no_answer(self.http.base_url, error) from error

    def wait(
        self,
        job: str,
        *,
        on_status: Callable[[Status], None] = lambda status: None,
        on_away: Callable[[RemoteError], None] = lambda error: None,
        patience: float = AWAY_SECONDS,
    ) -> Status:
        """Follow a job until it ends; its last status. By :meth:`events`, or by asking for it where
        they do not come through.

        An API that is away, or fails, is asked again for ``patience`` seconds: it may be
        restarting. Each time ``on_away`` is told.

        Raises:
            RemoteRefusal: there is no such job.
            RemoteError: the API stayed away, or was away from the beginning.
        """
        waiting = Waiting(on_status, on_away, patience)
        while True:
            if waiting.streams:
                waiting.streams = False
                with closing(self._heard(job)) as events:
                    for event in events:
                        if last := waiting.told(event):
                            return last
            try:
                if last := waiting.saw(self.status(job)):
                    return last
            except RemoteError as error:
                waiting.missed(error)
            sleep(waiting.pause())

    def _heard(self, job: str) -> Generator[Event]:
        """Events as long as they come; what is wrong where they end is found by asking."""
        with suppress(RemoteError), closing(self.events(job)) as events:
            yield from events

    def download(
        self, job: str, folder: Path, *, on_file: Callable[[str], None] = lambda name: None
    ) -> dict[str, Path]:
        """Fetch a successful job's products into a folder; names to files."""
        results = self.results(job)
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for name, link in results.items():
            files[name] = folder / Path(link["title"]).name
            self._fetch(link["href"], files[name])
            on_file(name)
        return files

    def _fetch(self, href: str, target: Path) -> None:
        draft = target.with_name(f".{target.name}.part")
        try:
            # From where the API says: objects in buckets are fetched there.
            get = self.http.stream("GET", href, timeout=60, follow_redirects=True)
            with get as answer, draft.open("wb") as file:
                answer.raise_for_status()
                for piece in answer.iter_bytes():
                    file.write(piece)
            draft.replace(target)
        except (OSError, httpx.HTTPError) as error:
            raise RemoteError(f"{target.name} could not be fetched: {error}") from error
        finally:
            draft.unlink(missing_ok=True)

    @override
    def _json(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self.http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise no_answer(self.http.base_url, error) from error
        return answer_of(answer)
