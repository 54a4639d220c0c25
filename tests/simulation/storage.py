"""Objects that are written, and perhaps not: a storage that is away, slow, torn or forgetful."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from geogaze.errors import ObjectNotFound, StorageUnavailable
from geogaze.storage import Storage
from tests.simulation.clock import Clock


class Objects:
    """What lies there, for all processes, and how it fares."""

    def __init__(
        self, clock: Clock, chance: random.Random, on_removed: Callable[[str], None]
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.on_removed = on_removed
        self.held: dict[str, bytes] = {}
        self.written: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.away_until = 0
        self.slow_until = 0
        self.fates: list[tuple[str, str]] = []
        """Of the next writes: whose process, and what becomes of it."""

    def forget(self, ticks: int) -> None:
        """Lose what was acknowledged within so many ticks."""
        for key, at in list(self.written.items()):
            if key in self.held and at >= self.clock.ticks - ticks:
                del self.held[key]
                self.forgotten.add(key)

    def remove(self, key: str) -> None:
        if self.held.pop(key, None) is not None:
            self.on_removed(key)


class SimulatedStorage(Storage):
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def _ask(self) -> None:
        objects, clock = self._objects, self._objects.clock
        slow = clock.ticks < objects.slow_until
        clock.wait(objects.chance.randrange(40) if slow else objects.chance.randrange(4))
        process = clock.running.process
        if process and clock.ticks < objects.away_until:
            raise StorageUnavailable("The storage is away.")

    def check(self) -> None:
        self._ask()

    def put(self, key: str, data: bytes) -> None:
        self._ask()
        objects, process = self._objects, self._objects.clock.running.process
        fate = next((one for one in objects.fates if process and one[0] == process.name), None)
        if fate:
            objects.fates.remove(fate)
            if "torn" in fate[1]:
                data = data[: len(data) // 2]
        if not fate or "unwritten" not in fate[1]:
            objects.held[key] = data
            objects.written[key] = objects.clock.ticks
            objects.forgotten.discard(key)
        if fate and process and "freezes" in fate[1]:
            process.frozen_until = objects.clock.ticks + objects.chance.randrange(60, 240)
            objects.clock.wait(0)
        elif fate:
            if "dies" in fate[1] and process:
                objects.clock.kill(process)
                objects.clock.check()
            raise StorageUnavailable("The connection to the storage broke.")

    def take_file(self, key: str, path: Path, media_type: str) -> None:
        self.put(key, path.read_bytes())

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        self._ask()
        if key not in self._objects.held:
            gone = ObjectNotFound(f"There is no object {key!r}.")
            gone.key = key
            raise gone
        return self._objects.held[key][start:stop]

    def size(self, key: str) -> int:
        return len(self.get(key))

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def keys(self, prefix: str) -> Iterator[str]:
        self._ask()
        for key in sorted(self._objects.held):
            if key.startswith(prefix):
                yield key

    def delete(self, prefix: str) -> None:
        self.remove(list(self.keys(prefix)))

    def remove(self, keys: list[str]) -> None:
        self._ask()
        for key in keys:
            self._objects.remove(key)

    def abort_uploads(self, seconds: float) -> int:
        return 0

    def file(self, key: str) -> Path | None:
        return None

    def link(self, key: str, seconds: int) -> str:
        return key
