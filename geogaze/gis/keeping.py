"""Lattices that were asked for of late: decoded once, however many ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from geogaze.gis.lattice import Lattice


class Kept:
    """Keeps lattices, up to so many bytes; those that nobody asked for the longest go first.

    Args:
        most: bytes of all that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = Lock()
        self._lattices: OrderedDict[str, Future[Lattice]] = OrderedDict()

    def get(self, name: str, read: Callable[[], Lattice]) -> Lattice:
        """The lattice of a name; who asks first reads it, others wait for that.

        What went wrong is told to all who waited, and tried again by the next.
        """
        with self._lock:
            found = self._lattices.get(name)
            if found is None:
                ours = self._lattices[name] = Future()
            else:
                self._lattices.move_to_end(name)
        if found is not None:
            return found.result()
        try:
            lattice = read()
        except BaseException as error:
            with self._lock:
                self._lattices.pop(name, None)
            ours.set_exception(error)
            raise
        ours.set_result(lattice)
        with self._lock:
            self._make_room()
        return lattice

    def _make_room(self) -> None:
        """Let go of the oldest ones that are read, but never of the last."""
        sizes = {n: f.result().size for n, f in self._lattices.items() if f.done()}
        for name in list(sizes)[:-1]:
            if sum(sizes.values()) <= self.most:
                return
            del sizes[name], self._lattices[name]
