"""Work of the device's is done on one thread, however many ask for the first time at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from geogaze.evidence import device

ASKING = 8


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def anew() -> ModuleType:
    """The module as a process has it that nobody has asked for anything."""
    assert device.__file__
    spec = spec_from_file_location("device_anew", device.__file__)
    assert spec
    assert spec.loader
    fresh = module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return fresh


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("turn", range(5))
def test_all_share_one_thread_from_the_first_call_on(turn: int) -> None:
    fresh = anew()
    barrier, seen = threading.Barrier(ASKING), set()

    def ask() -> None:
        barrier.wait()
        seen.add(fresh.on_device(threading.get_ident))

    asking = [threading.Thread(target=ask) for _ in range(ASKING)]
    try:
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    finally:
        fresh._DEVICE.shutdown()
    assert len(seen) == 1
    assert not seen & {thread.ident for thread in asking}
