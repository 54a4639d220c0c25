"""Commands that run the distributed system's processes."""

from __future__ import annotations

from typing import Annotated

import typer

from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.logs import configure_logging, forward_warnings

_LAST_SECONDS = 5
_IDLE_SECONDS = 75  # that a connection is kept: longer than proxies and clients do, or one that we
# close just as a request comes is an error to whoever asked


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    root_path: Annotated[
        str, typer.Option(help="Path that a proxy in front cuts off, such as /heat.")
    ] = "",
) -> None:
    """Serve the HTTP API (OGC API – Processes).

    Example:
        GEOGAZE_KEYS=true GEOGAZE_DATABASE_URL=postgresql+psycopg://… geogaze api --host 0.0.0.0
    """
    import uvicorn

    from api.door import OPEN_ELSEWHERE, is_loopback, is_open

    settings = get_settings()
    if is_open(settings) and not is_loopback(host):
        raise InvalidRequest(f"--host {host}: {OPEN_ELSEWHERE}")
    configure_logging(settings.log_level, settings.log_format)
    forward_warnings()
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        root_path=root_path,
        log_config=None,  # what it warns of goes where ours goes, in the same form
        log_level="warning",
        access_log=False,  # the API logs its requests itself
        proxy_headers=False,  # … and judges whose to believe
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,  # whoever watches a job would keep it up for ever
    )


def worker() -> None:
    """Explain units of jobs, as handed out by the dispatcher through Celery.

    One child process does one unit at a time; start one worker for each GPU
    (GEOGAZE_DEVICE=cuda:0, cuda:1, …).
    """
    from worker.app import start_worker

    start_worker()


def dispatcher() -> None:
    """Hand due units to the workers, and free what crashed workers left behind."""
    from worker.dispatcher import main

    main()


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (api, worker, dispatcher):
        app.command()(command)
