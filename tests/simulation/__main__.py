"""``python -m tests.simulation``: schedules of faults over the real protocol, one after another.

make simulate ARGS='--schedules 10000 --seed 7'   # fails where one violates what must hold
make simulate ARGS='--replay 7-123'               # that one, made as short as it can be
make simulate ARGS='--mutants'                    # planted bugs: are all found, and how soon?
make simulate ARGS='--control'                    # a database that loses what it acknowledged
"""

from __future__ import annotations

import argparse
import sys

from tests.simulation.mutants import find_all
from tests.simulation.schedule import LOSING, Schedule, shrunk

_ENOUGH = 5


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
    parser.add_argument("--match", default="", help="… those with this text")
    parser.add_argument("--control", action="store_true", help="the database loses the newest")
    asked = parser.parse_args()
    besides = (LOSING,) * asked.control
    if asked.mutants:
        return find_all(asked.match, asked.schedules)
    if asked.replay:
        return _replay(Schedule.of(asked.replay, besides), shorten=not asked.whole)
    from tests.simulation.search import search  # not before bugs are planted

    found = search(asked.seed, asked.schedules, besides, _ENOUGH, say=print)
    rate = found.schedules / found.seconds * 3600
    print(
        f"{found.schedules:,} schedules, {len(found.names)} violations, "
        f"{found.seconds:.1f} CPU s: {rate:,.0f} an hour on a core"
    )
    return int(bool(found.names) is not asked.control)


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
