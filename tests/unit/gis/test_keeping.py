"""Lattices are decoded once, and the oldest make room."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from geogaze.errors import InvalidRequest, ObjectNotFound, StorageUnavailable
from geogaze.gis.keeping import Kept
from geogaze.gis.lattice import Lattice, Level


def lattice(cells: int = 25) -> Lattice:
    return Lattice(
        CRS.from_epsg(3857), (Level(np.zeros((1, cells), np.float32), Affine.identity()),)
    )


def test_who_waits_gets_what_the_first_reads() -> None:
    kept, begun, go = Kept(1000), threading.Event(), threading.Event()
    reads, got = [], []

    def read() -> Lattice:
        reads.append(1)
        begun.set()
        assert go.wait(30)
        return lattice()

    def ask() -> None:
        got.append(kept.get("a", read))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    assert all(one is got[0] for one in got)


def test_the_oldest_make_room_but_the_last_stays() -> None:
    kept = Kept(250)
    for name in ("a", "b"):
        kept.get(name, lattice)
    kept.get("a", lambda: pytest.fail("it is kept"))
    kept.get("c", lattice)  # 300 bytes: b was not asked for the longest
    kept.get("a", lambda: pytest.fail("it is kept"))
    kept.get("large", lambda: lattice(1000))
    assert list(kept._held) == ["large"]


def test_what_went_wrong_is_tried_again() -> None:
    kept = Kept(1000)

    def fail() -> Lattice:
        raise ObjectNotFound("gone")

    with pytest.raises(ObjectNotFound):
        kept.get("a", fail)
    assert kept.get("a", lattice).size == 100


def test_a_refusal_is_kept() -> None:
    kept = Kept(1000)
    reads = []

    def refuse() -> Lattice:
        reads.append(1)
        raise InvalidRequest("too large")

    for _ in range(3):
        with pytest.raises(InvalidRequest, match="too large"):
            kept.get("a", refuse)
    assert len(reads) == 1
    assert kept.get("b", lattice).size == 100


def test_nobody_waits_for_long() -> None:
    kept, begun, go = Kept(1000, patience=0.01), threading.Event(), threading.Event()

    def read() -> Lattice:
        begun.set()
        assert go.wait(30)
        return lattice()

    reader = threading.Thread(target=kept.get, args=("a", read))
    reader.start()
    assert begun.wait(30)
    with pytest.raises(StorageUnavailable, match="still being read"):
        kept.get("a", lattice)
    go.set()
    reader.join()
    assert kept.get("a", lambda: pytest.fail("it is kept")).size == 100
