"""The ledger's database: SQLite in memory, on the virtual clock, with faults around transactions.

Transactions are whole steps, as SQLite writes one by one: others come between them, never into one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine, event, exc
from sqlalchemy.pool import QueuePool

from geogaze.ledger.database import Database, _configure_sqlite
from geogaze.ledger.tables import Base
from tests.simulation.clock import Clock, Process

_MOST_STRANDS = 100
_FEW_TICKS = 2


class _Kept(sqlite3.Connection):
    """Closing it would lose all."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()


class _Memory:
    """The one database of this process, made once: statements are compiled once, too."""

    def __init__(self) -> None:
        self.raw: Any = sqlite3.connect(
            ":memory:", factory=_Kept, check_same_thread=False, cached_statements=1000
        )
        self.server: Server | None = None
        self.engine = create_engine(
            "sqlite://",
            creator=lambda: self.raw,
            poolclass=QueuePool,
            pool_size=_MOST_STRANDS,
            pool_reset_on_return=None,
        )
        event.listen(self.engine, "connect", _configure_sqlite)
        self.raw.create_function("julianday", 1, self._julian)
        self.raw.create_function("randomblob", 1, self._blob)
        Base.metadata.create_all(self.engine)
        self._tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
        event.listen(self.engine, "begin", self._begin)
        self.engine.dialect.do_commit = self._commit  # type: ignore[method-assign]

    def clear(self) -> None:
        for table in self._tables:
            self.raw.execute(f"DELETE FROM {table}")

    def _julian(self, _: object) -> float:
        return self.server.clock.julian() if self.server else 0.0

    def _blob(self, size: int) -> bytes:
        return self.server.blob(size) if self.server else bytes(size)

    def _begin(self, connection: Any) -> None:
        if self.server:
            self.server.before()
        self.raw.execute("BEGIN IMMEDIATE")

    def _commit(self, connection: Any) -> None:
        if self.server:
            self.server.commit(self.raw)
        else:
            connection.commit()


class Server:
    """The database of one schedule.

    Args:
        clock: the schedule's.
        blob: random bytes, so many of them.
        pause: ticks before a transaction begins.
        on_commit: called after every transaction, with a raw connection.
        on_stop: called with a process that is told to end while it commits.
    """

    _memory: _Memory | None = None

    def __init__(
        self,
        clock: Clock,
        blob: Callable[[int], bytes],
        pause: Callable[[], int],
        on_commit: Callable[[Any], None],
        on_stop: Callable[[Process], None],
    ) -> None:
        self.clock = clock
        self.blob = blob
        self.away_until = 0
        self.cut_until: dict[str, int] = {}
        self.slow_until = 0
        self.fates: list[tuple[str, str, str]] = []
        """Of the next transactions that write: whose process, of which operation on a claim, or of
        any, and what becomes of it."""
        self._pause = pause
        self._on_commit = on_commit
        self._on_stop = on_stop
        self._changes = 0
        self.transactions = 0
        self._kept: bytes | None = None
        if Server._memory is None:
            Server._memory = _Memory()
        memory = Server._memory
        memory.server = None
        memory.clear()
        memory.server = self
        self.raw = memory.raw
        self.engine: Database = memory.engine

    def keep(self) -> None:
        """Note all that is written; what comes later may be lost."""
        self._kept = self.raw.serialize()

    def forget(self) -> None:
        """Lose what was acknowledged since then, as one that does not wait for its disk may."""
        if self._kept is not None:
            self.raw.deserialize(self._kept)
            self.raw.execute("PRAGMA foreign_keys=ON")

    def before(self) -> None:
        self.transactions += 1
        slow = self.clock.ticks < self.slow_until
        self.clock.wait((9 if slow else 1) * self._pause())
        process = self.clock.running.process
        if process and self._is_away(process):
            self.clock.wait(_FEW_TICKS)
            raise exc.OperationalError("BEGIN", {}, Exception("the database is away"))
        self._changes = self.raw.total_changes

    def _is_away(self, process: Process) -> bool:
        now = self.clock.ticks
        return now < self.away_until or now < self.cut_until.get(process.name, 0)

    def commit(self, raw: Any) -> None:
        process = self.clock.running.process
        fate = self._fate(process) if process and raw.total_changes != self._changes else None
        if fate and "unwritten" in fate:
            raw.rollback()
        else:
            raw.commit()
            self.clock.running.committed = self.clock.seconds
            self._on_commit(raw)
        if fate:
            if "dies" in fate and process:
                self.clock.kill(process)  # it notices when it next does anything
            if "stops" in fate and process:
                self._on_stop(process)
            raise sqlite3.OperationalError("the connection broke")

    def _fate(self, process: Process) -> str | None:
        for one in self.fates:
            if one[0] == process.name and one[1] in {"", self.clock.running.doing}:
                self.fates.remove(one)
                return one[2]
        return None
