"""Fuzz the API with schemathesis: ``python -m tests.fuzz --examples 300``."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import structlog

from geogaze.ledger.states import JobState
from geogaze.processes.table import PROCESSES
from tests.factories import make_bundle, make_scene
from tests.unit.api.serving import served
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import make_app, make_settings
from tests.unit.ledger.suite import submit

CONFIGURATION = (Path(__file__).parent / "schemathesis.toml").read_text()
JOBS = 25


def fuzz(folder: Path, *options: str, output: IO[str] | None = None) -> int:
    """Run schemathesis against the API, served on SQLite from a folder; its exit code."""
    settings = make_settings(folder, make_bundle(folder / "models" / "tiny"))
    scene = make_scene(settings.source_folders[0] / "port.tif", 96, 128)
    app = make_app(settings)
    ledger = app.state.services.ledger
    jobs = [submit(ledger) for _ in range(JOBS)]
    # Not failed ones: their results are a 500 by intent, that of the job, which stays an error.
    states = [state for state in JobState if state is not JobState.FAILED]
    for number, job in enumerate(jobs):
        end(ledger, job, states[number % len(states)])
    known = [str(scene), scene.as_uri(), "tiny", "boat", "road", "all", "top", "heat-boat"]
    configuration = folder / "schemathesis.toml"
    configuration.write_text(
        f"{CONFIGURATION}\n"
        f"[dictionaries]\n"
        f"jobs.values = {[str(job) for job in jobs]}\n"
        f"processes.values = {list(PROCESSES)}\n"
        f"known.values = {known}\n"
    )
    with served(app) as address:
        words = ["--config-file", configuration, "run", f"{address}/openapi.json", "--no-color"]
        program = Path(sys.executable).with_name("schemathesis")
        return subprocess.run(
            [program, *words, *options], check=False, stdout=output, stderr=output, cwd=folder
        ).returncode


def main() -> None:
    """Fuzz, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="for each operation and mode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, help="go on until they are over")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--max-examples={asked.examples}", f"--seed={asked.seed}"]
        options += [f"--max-time={asked.seconds}"] if asked.seconds else []
        sys.exit(fuzz(Path(folder), *options))


if __name__ == "__main__":
    main()
