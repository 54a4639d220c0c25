"""Chunks that were split, and tiles that no worker survives."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas
import pytest

from geogaze.errors import HostOutOfMemory, UnitBroke
from geogaze.ledger.records import Claim
from geogaze.ledger.states import JobState
from geogaze.processes.explain.plan import Plan
from geogaze.runner import work
from geogaze.runner.phases import Outcome, Resources
from geogaze.runner.pulse import Pulse
from tests.unit.runner.jobs import Bureau

Judge = Callable[[list[tuple[int, int]]], None]


@pytest.fixture
def bureau(tmp_path: Path, wide_bundle: Path) -> Iterator[Bureau]:
    bureau = Bureau(tmp_path / "bureau", wide_bundle)
    yield bureau
    bureau.close()


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Judge], list[int]]:
    """Let a judge see the tiles of each explain unit before it is done; the sizes of those done."""
    perform = work.perform

    def install(judge: Judge) -> list[int]:
        done: list[int] = []

        def judging(resources: Resources, claim: Claim, pulse: Pulse) -> Outcome:
            if claim.phase != "explain":
                return perform(resources, claim, pulse)
            tiles = list(Plan.model_validate(claim.plan).chunk(claim.root, claim.rectangle).tiles())
            judge(tiles)
            done.append(len(tiles))
            return perform(resources, claim, pulse)

        monkeypatch.setattr(work, "perform", judging)
        return done

    return install


def test_a_split_does_not_show(
    bureau: Bureau,
    big_scene: Path,
    judged: Callable[[Judge], list[int]],
    tmp_path: Path,
    wide_bundle: Path,
) -> None:
    whole = bureau.submit(big_scene)
    assert bureau.work(whole).state is JobState.SUCCESSFUL

    def small_enough(tiles: list[tuple[int, int]]) -> None:
        if len(tiles) > 3:
            raise HostOutOfMemory("Memory ran out")

    sizes = judged(small_enough)
    other = Bureau(tmp_path / "other", wide_bundle)  # so that nothing is taken over
    split = other.submit(big_scene)
    status = other.work(split)
    assert status.state is JobState.SUCCESSFUL
    assert status.items_done == status.items == sum(sizes) == 20
    assert len(sizes) > 6
    assert max(sizes) <= 3
    assert other.products(split) == bureau.products(whole)
    other.close()


def test_a_tile_that_breaks_everyone_is_found_and_left_out(
    bureau: Bureau, big_scene: Path, judged: Callable[[Judge], list[int]]
) -> None:
    def breaks(tiles: list[tuple[int, int]]) -> None:
        if (2, 3) in tiles:
            raise UnitBroke("ZeroDivisionError: division by zero")

    sizes = judged(breaks)
    job = bureau.submit(big_scene, on_error="skip")
    status = bureau.work(job)
    assert status.state is JobState.SUCCESSFUL, status.message
    assets = bureau.ledger.assets(job)
    assert assets is not None
    reason = "ZeroDivisionError: division by zero"
    assert assets["skipped"] == [{"reason": reason, "tiles": 1, "positions": [[2, 3]]}]
    assert sum(sizes) == 19
    frame = geopandas.read_parquet(io.BytesIO(bureau.products(job)["tiles"]))
    assert len(frame) == 20
    lost = frame[frame.top_class.isna()]
    assert lost[["row", "col"]].to_numpy().tolist() == [[2, 3]]


def test_it_fails_a_job_that_may_not_go_on_and_is_named(
    bureau: Bureau, big_scene: Path, judged: Callable[[Judge], list[int]]
) -> None:
    def breaks(tiles: list[tuple[int, int]]) -> None:
        if (2, 3) in tiles:
            raise UnitBroke("ZeroDivisionError: division by zero")

    judged(breaks)
    job = bureau.submit(big_scene)
    status = bureau.work(job)
    assert status.state is JobState.FAILED
    assert status.message == "Tile (row 2, column 3): ZeroDivisionError: division by zero"
    judged(lambda tiles: None)  # repaired
    done = status.items_done
    bureau.ledger.retry(job)
    assert bureau.work(job).state is JobState.SUCCESSFUL
    assert 0 <= done < bureau.ledger.status(job).items_done == 20
