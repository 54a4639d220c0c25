"""What was asked for of late, such as decoded lattices: read once, however many ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Generic, Protocol, TypeVar

from geogaze.errors import InvalidRequest, StorageUnavailable

_PATIENCE = 10.0  # seconds: who waits holds a thread of the server's
_REFUSAL = 2**12  # bytes that one counts for
_AT_ONCE = 2  # that are read, each of which may be as large as all that are kept


class Sized(Protocol):
    """What takes so many bytes."""

    @property
    def size(self) -> int:
        """How many."""


Held = TypeVar("Held", bound=Sized)


class Kept(Generic[Held]):
    """Keeps what was read, up to so many bytes; what nobody asked for the longest goes first.

    Args:
        most: bytes of all that are kept.
        patience: seconds that somebody waits for what another reads.
    """

    def __init__(self, most: int, patience: float = _PATIENCE) -> None:
        self.most, self._patience = most, patience
        self._lock, self._turns = Lock(), BoundedSemaphore(_AT_ONCE)
        self._held: OrderedDict[str, Future[Held]] = OrderedDict()

    def get(self, name: str, read: Callable[[], Held]) -> Held:
        """What has a name; who asks first reads it, others wait for that.

        A refusal is kept as the thing itself is. What else went wrong is told to all who waited,
        and tried again by the next.

        Raises:
            StorageUnavailable: it is still being read.
        """
        with self._lock:
            found = self._held.get(name)
            if found is None:
                ours = self._held[name] = Future()
            else:
                self._held.move_to_end(name)
        if found is not None:
            return self._waited(found)
        try:
            with self._turn():
                thing = read()
        except BaseException as error:
            if not isinstance(error, InvalidRequest):
                self.forget(name)
            ours.set_exception(error)
            raise
        ours.set_result(thing)
        with self._lock:
            self._make_room()
        return thing

    def forget(self, name: str) -> None:
        """Read it anew the next time."""
        with self._lock:
            self._held.pop(name, None)

    def _waited(self, found: Future[Held]) -> Held:
        try:
            return found.result(self._patience)
        except TimeoutError as error:
            if found.done():  # the reader's own
                raise
            raise _still_read() from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._patience):
            raise _still_read()
        try:
            yield
        finally:
            self._turns.release()

    def _make_room(self) -> None:
        """Let go of the oldest ones that are read, but never of the last."""
        sizes = {n: _size(f) for n, f in self._held.items() if f.done()}
        for name in list(sizes)[:-1]:
            if sum(sizes.values()) <= self.most:
                return
            del sizes[name], self._held[name]


def _size(found: Future[Held]) -> int:
    return _REFUSAL if found.exception() else found.result().size


def _still_read() -> StorageUnavailable:
    return StorageUnavailable("The layer is still being read: ask again in some seconds.")
