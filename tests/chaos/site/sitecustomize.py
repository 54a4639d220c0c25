"""Faults inside worker processes, put in at interpreter start so that the product needs no seam.

Only where ``GEOGAZE_CHAOS`` is set: JSON with ``seed``, ``kill`` (chance of dying, or
freezing, at each step),
``full`` (chance that a disk is full), ``poison`` (a scene and its tile that kills whoever
explains it, also in peace), ``skew`` (seconds that this machine's clock is off) and
``log``, a file that gets a line for each fault.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any


def _install(options: dict[str, Any]) -> None:
    from geogaze import storage
    from geogaze.ledger import claims
    from geogaze.products.make import heat
    from geogaze.runner.phases import explain
    from geogaze.scene import view

    chance = random.Random(f"{options['seed']}-{os.getpid()}-{time.time_ns()}")

    def note(what: str) -> None:
        line = f"{what} {os.getpid()}\n".encode()
        log = os.open(options["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(log, line)
        os.close(log)

    def peace() -> bool:
        return Path(options["log"]).with_suffix(".calm").exists()

    def may_die(step: str) -> None:
        if chance.random() >= options["kill"] or peace():
            return
        if step in {"put", "commit"} and chance.random() < 0.25:
            # Long enough for its lease to run out; the driver wakes it.
            note(f"freeze:{step}")
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        # The child alone, which Celery replaces, or the whole worker, which nobody does.
        whole = chance.random() < 0.3
        note(f"kill-{'worker' if whole else 'child'}:{step}")
        if whole:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def after(step: str, function: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            result = function(*args, **named)
            if result is not None or step != "claim":
                may_die(step)
            return result

        return wrapped

    def before(step: str, function: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            may_die(step)
            return function(*args, **named)

        return wrapped

    def sometimes_full(function: Any) -> Any:
        def wrapped(*args: Any, **named: Any) -> Any:
            if chance.random() < options["full"] and not peace():
                note("disk-full")
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **named)

        return wrapped

    def poisoned(function: Any) -> Any:
        scene, tile = options["poison"]["scene"], tuple(options["poison"]["tile"])

        def wrapped(plan: Any, chunk: Any, *others: Any) -> Any:
            if plan.scene.uri.endswith(scene) and tile in chunk.tiles():
                note("poison")
                os.kill(os.getpid(), signal.SIGKILL)
            return function(plan, chunk, *others)

        return wrapped

    claims.Claims.claim = after("claim", claims.Claims.claim)
    view.SceneView.read = after("read", view.SceneView.read)
    storage.S3Storage.put = after("put", storage.S3Storage.put)
    claims.Claims.commit = before("commit", claims.Claims.commit)
    explain.explain_chunk = poisoned(explain.explain_chunk)
    heat.write_heat = sometimes_full(heat.write_heat)


def _skew(seconds: float) -> None:
    true = time.time
    time.time = lambda: true() + seconds


# In the pool's children alone: their parents, and what else inherits this, do no units.
if "GEOGAZE_CHAOS" in os.environ and any("spawn_main" in word for word in sys.orig_argv):
    _install(json.loads(os.environ["GEOGAZE_CHAOS"]))
    _skew(float(os.environ.get("GEOGAZE_CHAOS_SKEW", "0")))
