"""NumPy's files are read by one thread at a time."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from geogaze.arrays import next_array, unpacked


def packed() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, heat=np.arange(6.0).reshape(2, 3), picture=np.uint8([1, 2]))
    return buffer.getvalue()


def test_what_was_packed_is_read_by_name() -> None:
    found = unpacked(packed())
    assert list(found) == ["heat", "picture"]
    np.testing.assert_array_equal(found["heat"], np.arange(6.0).reshape(2, 3))
    assert list(unpacked(packed(), lambda name: name == "picture")) == ["picture"]


def test_arrays_follow_one_another_in_a_file() -> None:
    file = io.BytesIO()
    for values in ([1.5, 2.5], [3.5]):
        np.save(file, values)
    file.seek(0)
    assert [next_array(file).tolist() for _ in range(2)] == [[1.5, 2.5], [3.5]]


def test_no_two_threads_parse_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, data, load = threading.Lock(), packed(), np.load
    met = threading.Event()

    def noted(*words: Any, **options: Any) -> Any:
        if not alone.acquire(blocking=False):
            met.set()
            return load(*words, **options)
        try:
            met.wait(0.01)  # for another to come
            return load(*words, **options)
        finally:
            alone.release()

    monkeypatch.setattr(np, "load", noted)
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(lambda _: unpacked(data), range(16)))) == 16
    assert not met.is_set()
