"""``python -m tests.simulation``: schedules of faults over the real protocol, one after another.

make simulate ARGS='--schedules 10000 --seed 7'   # fails where one violates what must hold
make simulate ARGS='--schedules 10000 --add'      # goes on where tests/simulation/runs.csv ends
make simulate ARGS='--replay 7-123'               # that one, made as short as it can be
make simulate ARGS='--mutants'                    # planted bugs: are all found, and how soon?
make simulate ARGS='--control'                    # a database that loses what it acknowledged
"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.simulation.mutants import find_all
from tests.simulation.schedule import LOSING, Schedule, shrunk

_ENOUGH = 5
_ROW = 5000  # schedules of a row in the table
_COUNTED = ("schedules", "violations", "transactions", "cpu_seconds")


def main() -> int:
    """Run what the command line asks for; 0 where all is well."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schedules", type=int, default=1000, help="so many at most")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--replay", metavar="NAME", help="one schedule, as it was named")
    parser.add_argument("--whole", action="store_true", help="… and do not make it shorter")
    parser.add_argument("--mutants", action="store_true", help="find the planted bugs")
    parser.add_argument("--seconds", type=float, default=120.0, help="… of the processor for each")
    parser.add_argument("--match", default="", help="… those with this text")
    parser.add_argument("--control", action="store_true", help="the database loses the newest")
    parser.add_argument("--add", action="store_true", help="go on in the table of runs")
    asked = parser.parse_args()
    besides = (LOSING,) * asked.control
    if asked.mutants:
        return find_all(asked.match, asked.schedules, asked.seconds)
    if asked.replay:
        return _replay(Schedule.of(asked.replay, besides), shorten=not asked.whole)
    if asked.add:
        return _add(asked.seed, asked.schedules)
    from tests.simulation.search import search  # not before bugs are planted

    found = search(asked.seed, asked.schedules, besides, _ENOUGH, say=print)
    print(_words(found.schedules, len(found.names), found.transactions, found.seconds))
    return int(bool(found.names) is not asked.control)


def _words(schedules: int, violations: int, transactions: int, seconds: float) -> str:
    rate = schedules / seconds * 3600 if seconds else 0.0
    return (
        f"{schedules:,} schedules, {violations} violations, {transactions:,} transactions, "
        f"{seconds:,.1f} CPU s: {rate:,.0f} schedules an hour on a core"
    )


def _add(seed: str, schedules: int) -> int:
    """Go on in the table, row by row, until all are run or a signal says that it is enough."""
    from tests.simulation.runs import TABLE, read, revision, run_and_add
    from tests.simulation.search import told_to_end

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_end.set())
    left, violations = schedules, 0
    while left > 0 and not violations and not told_to_end.is_set():
        found = run_and_add(TABLE, seed, min(left, _ROW), _ENOUGH, say=print)
        left -= found.schedules
        violations += len(found.names)
    rows = [row for row in read(TABLE) if row.revision == revision()]
    sums = [sum(getattr(row, name) for row in rows) for name in _COUNTED]
    print(f"as the code is now: {_words(*sums)}")
    return int(violations > 0)


def _replay(schedule: Schedule, *, shorten: bool) -> int:
    """Run a schedule again, or the shortest one that violates something too, line by line."""
    from tests.simulation.trace import Trace
    from tests.simulation.trial import run

    if shorten and run(schedule).violation:
        schedule = shrunk(schedule, lambda other: run(other).violation)
    for job in schedule.jobs:
        print(job)
    print(f"workers {schedule.workers}, lanes {schedule.lanes}, dispatchers {schedule.dispatchers}")
    for fault in schedule.faults:
        print(fault)
    violation = run(schedule, Trace(print)).violation
    print(violation or "nothing is violated")
    return int(bool(violation))


if __name__ == "__main__":
    sys.exit(main())
