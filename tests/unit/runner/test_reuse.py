"""What one job has explained, another need not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geogaze.ledger.collection import Collection
from geogaze.ledger.states import JobState
from geogaze.runner.phases import explain as explain_phase
from tests.factories import make_scene
from tests.unit.runner.jobs import Bureau
from worker.sweeper import Sweeper


@pytest.fixture
def bureau(tmp_path: Path, wide_bundle: Path) -> Iterator[Bureau]:
    bureau = Bureau(tmp_path / "bureau", wide_bundle, chunk_tiles=4)
    yield bureau
    bureau.close()


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each chunk that is explained."""
    chunks: list[int] = []
    explain = explain_phase.explain_chunk

    def counting(*args: Any) -> Any:
        chunks.append(len(chunks))
        return explain(*args)

    monkeypatch.setattr(explain_phase, "explain_chunk", counting)
    return chunks


@pytest.mark.parametrize(
    "shown",
    [{"normalize": "tile", "colormap": "viridis"}, {"overlays": False}, {"priority": "high"}],
    ids=str,
)
def test_what_only_shows_the_heat_explains_no_tile(
    bureau: Bureau,
    big_scene: Path,
    explained: list[int],
    tmp_path: Path,
    wide_bundle: Path,
    shown: dict[str, Any],
) -> None:
    first = bureau.submit(big_scene)
    assert bureau.work(first).items_reused == 0
    chunks = len(explained)
    assert chunks == 6
    second = bureau.submit(big_scene, **shown)
    status = bureau.work(second)
    assert status.state is JobState.SUCCESSFUL
    assert len(explained) == chunks
    assert status.items_done == status.items_reused == status.items == 20
    fresh = Bureau(tmp_path / "fresh", wide_bundle, chunk_tiles=4)
    alone = fresh.submit(big_scene, **shown)
    fresh.work(alone)
    assert bureau.products(second) == fresh.products(alone)
    fresh.close()


@pytest.mark.parametrize(
    "other",
    [{"overlap": 0}, {"classes": ["boat"]}, {"method": "layercam"}, {"rescale": [(0, 200)]}],
    ids=str,
)
def test_what_changes_the_heat_is_explained_anew(
    bureau: Bureau, big_scene: Path, other: dict[str, Any]
) -> None:
    bureau.work(bureau.submit(big_scene, overlays=False))
    assert bureau.ledger.status(bureau.submit(big_scene, **other)).items_reused == 0


def test_a_scene_that_was_replaced_is_another(
    bureau: Bureau, tmp_path: Path, explained: list[int]
) -> None:
    scene = make_scene(tmp_path / "port.tif", 200, 200, seed=1)
    bureau.work(bureau.submit(scene, classes=["boat"]))
    chunks = len(explained)
    make_scene(scene, 200, 200, seed=2)
    os.utime(scene, ns=(1, 1))  # the same size, so that the time alone tells
    status = bureau.work(bureau.submit(scene, classes=["boat"]))
    assert (len(explained), status.items_reused) == (2 * chunks, 0)


def test_what_was_taken_over_outlives_the_job_it_came_from(
    bureau: Bureau, big_scene: Path, explained: list[int]
) -> None:
    first = bureau.submit(big_scene)
    expected = (bureau.work(first), bureau.products(first))[1]
    second = bureau.submit(big_scene)
    bureau.ledger.dismiss(first)
    sweeper = Sweeper(bureau.settings, Collection(bureau.ledger.database), bureau.storage)
    # The Item, what the only part of the scene had drawn, and the only block with its sketches.
    assert sweeper.release() == len(expected) + 4, "products alone, no parts"
    assert bureau.work(second).state is JobState.SUCCESSFUL
    assert bureau.products(second) == expected
    assert len(explained) == 6
    bureau.ledger.dismiss(second)
    sweeper.release()
    assert list(bureau.storage.keys("")) == []
