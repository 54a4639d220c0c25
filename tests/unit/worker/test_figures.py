"""What workers and dispatchers tell Prometheus."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.errors import InvalidRequest, StorageUnavailable
from geogaze.ledger.collection import Collection
from geogaze.ledger.queue import Queue
from geogaze.ledger.records import Claim
from geogaze.ledger.states import UnitState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Unit
from geogaze.metrics.few import OTHERS, Few, folded
from geogaze.metrics.listening import listening
from geogaze.storage import open_storage
from geogaze.timing import TIMING
from tests.unit.ledger.test_store import submit
from tests.unit.worker.test_dispatcher import Broker, age, claim
from worker.dispatcher import Dispatcher
from worker.figures import _FILE_BYTES, _FILES, UnitFigures, shown
from worker.rounds import RoundFigures
from worker.sweeper import Sweeper


def claim_of(model: str | None = "ships", phase: str = "explain") -> Claim:
    plan: dict[str, Any] = {"bundle": {"name": model}} if model else {}
    place = {"phase": phase, "position": 0, "root": 0, "rectangle": None}
    return Claim(
        unit_id=uuid4(),
        job_id=uuid4(),
        attempt=1,
        failures=0,
        token=uuid4(),
        prefix="parts/a/1/",
        plan=plan,
        **place,  # type: ignore[arg-type]
    )


def test_units_tiles_and_time_are_counted(settings: Settings) -> None:
    figures = UnitFigures(settings.model_copy(update={"device": "cpu"}))
    value = figures.registry.get_sample_value
    before = TIMING.parts()["read"].wall if "read" in TIMING.parts() else 0.0
    figures.on_items(claim_of(), 3)
    figures.on_items(claim_of(), 4)
    TIMING.add("read", 2.5)
    figures.on_ended(claim_of(), "done", 7.0)
    figures.on_ended(claim_of(phase="blend"), "storage-unavailable", 0.2)
    TIMING.add("read", 0.5)
    figures.on_ended(claim_of(), "done", 9.0)
    assert value("geogaze_tiles_total", {"model": "ships"}) == 7
    assert value("geogaze_unit_attempts_total", {"phase": "explain", "outcome": "done"}) == 2
    failed = {"phase": "blend", "outcome": "storage-unavailable"}
    assert value("geogaze_unit_attempts_total", failed) == 1
    assert value("geogaze_unit_seconds_sum", {"phase": "explain"}) == 16
    assert value("geogaze_unit_seconds_bucket", {"phase": "explain", "le": "10.0"}) == 2
    spent = value("geogaze_part_seconds_total", {"part": "read"})
    assert spent == pytest.approx(before + 3.0)
    memory = {"device": "cpu", "amount": "total"}
    assert (value("geogaze_device_memory_bytes", memory) or 0) > 1e8


def test_models_beyond_a_few_are_told_together(settings: Settings) -> None:
    figures = UnitFigures(settings.model_copy(update={"metrics_tenants": 2}))
    for model in ("a", "b", "c", "d", "a", None):
        figures.on_items(claim_of(model), 1)
    value = figures.registry.get_sample_value
    tiles = {m: value("geogaze_tiles_total", {"model": m}) for m in ("a", "b", "c", OTHERS)}
    assert tiles == {"a": 2, "b": 1, "c": None, OTHERS: 3}


def test_few_names_are_those_with_most() -> None:
    readings = {("p", "a"): 1.0, ("q", "a"): 2.0, ("p", "b"): 4.0, ("p", "c"): 3.0, ("q", "d"): 0.5}
    readings[("p", "d")] = 0.25
    assert folded(readings, 1, 2) == {
        ("p", "b"): 4,
        ("q", "a"): 2,
        ("p", "a"): 1,
        ("p", OTHERS): 3.25,
        ("q", OTHERS): 0.5,
    }
    assert Few(0).of("a") == OTHERS


ROOT = Path(__file__).parents[3]
CHILD = """
import os, sys
from geogaze.config import Settings
from worker.figures import UnitFigures, use_folder
from tests.unit.worker.test_figures import claim_of
use_folder()
figures = UnitFigures(Settings(device="cpu"))
figures.on_items(claim_of(), 5)
figures.on_ended(claim_of(), "done", 2.0)
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    return f"127.0.0.1:{port}"


def test_a_killed_child_takes_no_figure_with_it(settings: Settings, address: str) -> None:
    """Whatever it counted stays; that its successor counts on, the integration tests see."""
    here = settings.model_copy(update={"metrics_listen": address})

    def told() -> dict[str, float]:
        text = httpx.get(f"http://{address}/metrics", trust_env=False).text
        lines = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
        return {name: float(value) for name, _, value in lines}

    with shown(here):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as child:
            assert child.stdout
            assert child.stdout.readline() == b"counted\n"
            assert told()["process_resident_memory_bytes"] > 1e7, "the child's"
            child.kill()
        (folder,) = Path(settings.scratch or "").glob("geogaze-scratch-*")
        files = {path.name: path.stat().st_blocks * 512 for path in folder.glob("*.db")}
        assert set(files) == set(_FILES), "as the library names them"
        assert min(files.values()) >= _FILE_BYTES, "no holes, which a full disk could not fill"
        after = told()
        assert after['geogaze_tiles_total{model="ships"}'] == 5
        done = 'geogaze_unit_attempts_total{outcome="done",phase="explain"}'
        assert after[done] == 1
        assert after['geogaze_unit_seconds_sum{phase="explain"}'] == 2
        assert "process_resident_memory_bytes" not in after
        assert any(name.startswith('geogaze_info{part="worker"') for name in after)
    assert not list(Path(settings.scratch or "").glob("geogaze-scratch-*"))
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def test_a_port_that_is_taken_is_told_before_any_work(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = settings.model_copy(update={"metrics_listen": f"127.0.0.1:{held.getsockname()[1]}"})
        with pytest.raises(InvalidRequest, match="GEOGAZE_METRICS_LISTEN=127"), shown(taken):
            raise AssertionError("no worker starts")
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    for nonsense in ("9464", "here:", ":9464", "a b:1", "localhost:port"):
        with pytest.raises(ValidationError, match="metrics_listen"):
            Settings(metrics_listen=nonsense)
    with pytest.raises(InvalidRequest, match="99999"), listening("127.0.0.1:99999", _registry()):
        raise AssertionError("there is no such port")


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("geogaze_test", "A test.", registry=registry)
    return registry


def test_a_dispatcher_counts_what_it_hands_out_and_takes_back(
    settings: Settings, ledger: Ledger
) -> None:
    figures, broker, queue = RoundFigures(), Broker(), Queue(ledger.database)
    dispatcher = Dispatcher(settings, queue, broker, figures)  # type: ignore[arg-type]
    value = figures.registry.get_sample_value
    assert value("geogaze_leases_expired_total", {"phase": "explain"}) == 0
    submit(ledger, 3)
    dispatcher.round()
    assert value("geogaze_dispatcher_leads") == 1
    assert value("geogaze_messages_total") == 3
    claim(ledger, broker.units[0])
    age(ledger, 31)
    expire(ledger)
    dispatcher.round()
    assert value("geogaze_leases_expired_total", {"phase": "explain"}) == 1
    assert value("geogaze_messages_lost_total") == 2
    assert value("geogaze_broker_messages") == 3


def expire(ledger: Ledger) -> None:
    with Session(ledger.database) as session, session.begin():
        running = update(Unit).where(Unit.state == UnitState.RUNNING)
        session.execute(running.values(lease_until=1.0))


def test_storage_is_looked_at_also_while_nobody_needs_it(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, logs: list[Any]
) -> None:
    figures, storage = RoundFigures(), open_storage(settings)
    sweeper = Sweeper(settings, Collection(ledger.database), storage, figures)
    value = figures.registry.get_sample_value
    sweeper.look()
    assert value("geogaze_storage_up") == 1
    looks: list[int] = []

    def away() -> None:
        looks.append(1)
        raise StorageUnavailable("S3 did not answer")

    monkeypatch.setattr(storage, "check", away)
    sweeper.look()
    assert value("geogaze_storage_up") == 1, "it has just been asked"
    monkeypatch.setattr("worker.sweeper._LOOK_SECONDS", 0.0)
    sweeper.look()
    assert (value("geogaze_storage_up"), looks) == (0, [1])
    assert logs[-1]["event"] == "storage away"


@pytest.mark.parametrize("away", ["no folder", "a file"])
def test_a_folder_says_whether_it_can_be_listed(settings: Settings, away: str) -> None:
    storage = open_storage(settings)
    storage.check()
    storage.check()
    root = Path(settings.storage)
    root.rmdir()
    if away == "a file":
        root.write_text("")
        with pytest.raises(StorageUnavailable):
            storage.check()
    else:
        storage.check()
        assert root.is_dir(), "as it is made by what is first put there"
