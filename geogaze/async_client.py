"""The geogaze API from Python, for programs that await.

async with AsyncClient("http://localhost:8080") as client:
    job = await client.submit({"scene": "s3://imagery/port.tif", "classes": ["ship"]})
    await client.wait(job["jobID"])
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial, update_wrapper
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio
import httpx
from anyio import to_thread
from httpx_sse import aconnect_sse

from geogaze.answers import answer_of, event_of, no_answer
from geogaze.client import Client
from geogaze.documents import Status
from geogaze.errors import RemoteError
from geogaze.following import AWAY_SECONDS, SILENT_SECONDS, Event, Waiting

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _awaited(
    method: Callable[Concatenate[Client, _P], _R],
) -> Callable[Concatenate[AsyncClient, _P], Awaitable[_R]]:
    """A method of :class:`Client`, run by a thread; what it calls back is called there."""

    async def call(self: AsyncClient, /, *args: _P.args, **options: _P.kwargs) -> _R:
        return await to_thread.run_sync(partial(method, self.client, *args, **options))

    update_wrapper(call, method)
    return call


class AsyncClient:
    """:class:`geogaze.client.Client`, awaited: the same arguments, answers and errors.

    What takes as long as a job does, :meth:`events` and :meth:`wait`, holds no thread and ends when
    it is cancelled. The others run in threads.
    """

    def __init__(self, url: str, *, timeout: float = 30.0, key: str | None = None) -> None:
        self.client = Client(url, timeout=timeout, key=key)
        ours = self.client.http
        self._http = httpx.AsyncClient(
            base_url=ours.base_url, timeout=ours.timeout, headers=ours.headers
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.http.close()
        await self._http.aclose()

    submit = _awaited(Client.submit)
    upload = _awaited(Client.upload)
    quote = _awaited(Client.quote)
    status = _awaited(Client.status)
    jobs = _awaited(Client.jobs)
    workers = _awaited(Client.workers)
    models = _awaited(Client.models)
    model = _awaited(Client.model)
    add_model = _awaited(Client.add_model)
    set_alias = _awaited(Client.set_alias)
    delete_alias = _awaited(Client.delete_alias)
    remove_model = _awaited(Client.remove_model)
    inputs = _awaited(Client.inputs)
    layers = _awaited(Client.layers)
    value = _awaited(Client.value)
    classes = _awaited(Client.classes)
    results = _awaited(Client.results)
    retry = _awaited(Client.retry)
    skipped = _awaited(Client.skipped)
    dismiss = _awaited(Client.dismiss)
    download = _awaited(Client.download)

    async def each_job(self, *, status: list[str] | None = None) -> AsyncGenerator[Status]:
        """All jobs, newest first, a page at a time as they are asked for."""
        jobs = self.client.each_job(status=status)
        while job := await to_thread.run_sync(next, jobs, None):
            yield job

    async def events(self, job: str) -> AsyncGenerator[Event]:
        """A job's events, as :meth:`geogaze.client.Client.events` gives them."""
        silent = httpx.Timeout(SILENT_SECONDS, connect=self._http.timeout.connect)
        try:
            stream = aconnect_sse(self._http, "GET", f"/jobs/{job}/events", timeout=silent)
            async with stream as source:
                if not source.response.is_success:
                    await source.response.aread()
                    answer_of(source.response)
                async for sse in source.aiter_sse():
                    yield event_of(sse)
        except httpx.HTTPError as error:
            raise no_answer(self._http.base_url, error) from error

    async def wait(
        self,
        job: str,
        *,
        on_status: Callable[[Status], None] = lambda status: None,
        on_away: Callable[[RemoteError], None] = lambda error: None,
        patience: float = AWAY_SECONDS,
    ) -> Status:
        """Follow a job until it ends; its last status. As :meth:`geogaze.client.Client.wait`."""
        waiting = Waiting(on_status, on_away, patience)
        while True:
            if waiting.streams:
                waiting.streams = False
                async with aclosing(self._heard(job)) as events:
                    async for event in events:
                        if last := waiting.told(event):
                            return last
            try:
                if last := waiting.saw(await self.status(job)):
                    return last
            except RemoteError as error:
                waiting.missed(error)
            await anyio.sleep(waiting.pause())

    async def _heard(self, job: str) -> AsyncGenerator[Event]:
        """Events as long as they come; what is wrong where they end is found by asking."""
        with suppress(RemoteError):
            async with aclosing(self.events(job)) as events:
                async for event in events:
                    yield event
