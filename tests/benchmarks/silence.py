"""Hosts that accept and say nothing: what others notice of them, on a stack of real servers.

``python -m tests.benchmarks.silence``: one worker with two lanes gets two scenes whose host goes
silent, then another user's job; then 40 scenes of that host are submitted at once. Printed as
JSON: when each job ended (seconds after the silence began, or after it was submitted), and how
long ``/health`` and ``/jobs`` took meanwhile. Ends with 1 where a promise was broken.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from infra.stack import Stack
from tests.factories import make_bundle, make_scene
from tests.hosts import Host, make_authority

_ENDED = {"failed", "successful"}
_SUBMISSIONS = 40
_PATIENCE = 400.0  # seconds


def main() -> int:
    """Measure and judge."""
    with tempfile.TemporaryDirectory(prefix="geogaze-silence-") as folder:
        base = Path(folder)
        for name in ("host", "scenes"):
            (base / name).mkdir()
        variables: dict[str, str] = {}
        authority = make_authority(base, variables.__setitem__)
        os.environ.update(variables)
        make_bundle(base / "models" / "tiny")
        for name in ("a.tif", "b.tif"):
            make_scene(base / "host" / name, 600, 700)
        here = make_scene(base / "scenes" / "here.tif", 600, 700)
        with Host(base / "host", authority) as host:
            settings = {
                **variables,
                "GEOGAZE_SOURCE_HOSTS": json.dumps([host.name]),
                "GEOGAZE_MODEL_FOLDERS": json.dumps([str(base / "models")]),
                "GEOGAZE_CHUNK_TILES": "16",
                "GEOGAZE_TENANT_HEADER": "X-Tenant",
                "GEOGAZE_TORCH_THREADS": "1",
            }
            folders = [base / "scenes"]
            with Stack(
                base / "stack", source_folders=folders, workers=1, environment=settings
            ) as stack:
                jobs = _jobs(stack.api_url, host, here)
                api = _submissions(stack.api_url, host)
            host.closing.set()
    figures = {"jobs": jobs, "submissions": api}
    print(json.dumps(figures, indent=2))
    kept = (
        jobs["another user's"]["status"] == "successful"
        and jobs["another user's"]["ended"] < min(jobs[name]["ended"] for name in ("a", "b"))
        and {jobs[name]["status"] for name in ("a", "b")} == {"failed"}
        and api["health"]["slowest"] < 1
        and api["statuses"] == [503]
    )
    return 0 if kept else 1


def _submit(client: httpx.Client, scene: str, tenant: str) -> httpx.Response:
    inputs = {"scene": scene, "model": "tiny", "classes": ["boat"]}
    return client.post(
        "/processes/explain/execution", json={"inputs": inputs}, headers={"X-Tenant": tenant}
    )


def _jobs(url: str, host: Host, here: Path) -> dict[str, dict[str, Any]]:
    """Two jobs on a host that goes silent, and another user's, until all have ended."""
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        jobs = {}
        for name in ("a", "b"):
            host.mood = "well"
            jobs[name] = _submit(client, host.uri(f"{name}.tif"), "one").json()["jobID"]
            host.mood = "silent"
        began = time.monotonic()
        time.sleep(3)  # both lanes hold silent scenes by now
        jobs["another user's"] = _submit(client, str(here), "two").json()["jobID"]
        told: dict[str, dict[str, Any]] = {}
        while len(told) < len(jobs) and time.monotonic() - began < _PATIENCE:
            for name, job in jobs.items():
                tenant = "one" if len(name) == 1 else "two"
                status = client.get(f"/jobs/{job}", headers={"X-Tenant": tenant}).json()
                if name not in told and status["status"] in _ENDED:
                    ended = round(time.monotonic() - began, 1)
                    told[name] = {"status": status["status"], "ended": ended}
            time.sleep(0.5)
        return told


def _submissions(url: str, host: Host) -> dict[str, Any]:
    """Many submissions of a silent host at once, and two pages asked for meanwhile."""
    seconds: dict[str, list[float]] = {"health": [], "jobs": []}
    stop = threading.Event()

    def poll(page: str) -> None:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            while not stop.wait(0.1):
                began = time.monotonic()
                client.get(f"/{page}", headers={"X-Tenant": "one"}).raise_for_status()
                seconds[page].append(time.monotonic() - began)

    threads = [threading.Thread(target=poll, args=(page,)) for page in seconds]
    for thread in threads:
        thread.start()
    try:
        with (
            httpx.Client(
                base_url=url, timeout=120, trust_env=False, limits=httpx.Limits(max_connections=60)
            ) as client,
            ThreadPoolExecutor(_SUBMISSIONS) as pool,
        ):
            began = time.monotonic()
            answers = list(
                pool.map(
                    lambda n: _submit(client, host.uri(f"{n}.tif"), "one"), range(_SUBMISSIONS)
                )
            )
            wall = time.monotonic() - began
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return {
        "statuses": sorted({answer.status_code for answer in answers}),
        "answered after": round(wall, 1),
        **{
            page: {"requests": len(taken), "slowest": round(max(taken), 3)}
            for page, taken in seconds.items()
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
