"""What each kind of fault does to a world."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.simulation.clock import Process, ticks_of
from tests.simulation.schedule import LOSING, Fault
from tests.simulation.work import ERRORS
from tests.simulation.world import World

_COMMITS = ("unwritten", "written", "unwritten, dies", "written, dies")
_STOPS = ("written, stops", "written, stops", "unwritten, stops")
_PUTS = ("unwritten", "written", "torn")


def strike(world: World, fault: Fault) -> None:
    """Do what a fault does, at its moment."""
    world.log.warning("fault", kind=fault.kind, which=fault.which, size=fault.size)
    _KINDS[fault.kind](world, fault)


def schedule_losses(world: World, fault: Fault) -> None:
    """Have the database lose what it acknowledged for a while before the fault's moment."""
    world.clock.at(max(0, fault.at - 10 - 10 * fault.size), world.database.keep)


def _worker(world: World, fault: Fault) -> Process | None:
    alive = [one for one in world.workers if one.alive]
    return alive[fault.which % len(alive)] if alive else None


def _dispatcher(world: World, fault: Fault) -> Process | None:
    alive = [one for one in world.dispatchers if one.alive]
    return alive[fault.which % len(alive)] if alive else None


Find = Callable[[World, Fault], Process | None]


def _kill(find: Find, *, gone: bool = False) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := find(world, fault):
            process.gone = gone
            world.kill(process)

    return strike


def _until(world: World, process: Process, fault: Fault, ticks: int) -> int:
    """So many ticks from now, or about when a lease or the lead of a process runs out."""
    end = world.history.next_end(world.clock.seconds, process.name)
    if fault.which % 2 or math.isinf(end):
        return world.clock.ticks + ticks
    return ticks_of(end) + fault.which // 2 % 6


def _freeze(find: Find) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := find(world, fault):
            process.frozen_until = _until(world, process, fault, 20 + 50 * fault.size)

    return strike


def _cut(find: Find) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := find(world, fault):
            until = _until(world, process, fault, 10 + 40 * fault.size)
            world.database.cut_until[process.name] = until

    return strike


def _stop(world: World, fault: Fault) -> None:
    if process := _worker(world, fault):
        world.stop(process)


def _at_commit(find: Find, fates: tuple[str, ...]) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := find(world, fault):
            doing = ("", "commit", "commit", "give_up")[fault.which % 4] if find is _worker else ""
            world.database.fates.append((process.name, doing, fates[fault.size % len(fates)]))

    return strike


def _at_put(fates: tuple[str, ...]) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := _worker(world, fault):
            world.objects.fates.append((process.name, fates[fault.size % len(fates)]))

    return strike


def _unit(*, hangs: bool) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        if process := _worker(world, fault):
            error = None if hangs else ERRORS[fault.size % len(ERRORS)]
            world.work.fates[process.name].append(error)

    return strike


def _database_away(world: World, fault: Fault) -> None:
    world.database.away_until = world.clock.ticks + 5 + 25 * fault.size


def _database_slow(world: World, fault: Fault) -> None:
    world.database.slow_until = world.clock.ticks + 20 + 30 * fault.size


def _storage_away(world: World, fault: Fault) -> None:
    world.objects.away_until = world.clock.ticks + 5 + 20 * fault.size


def _storage_slow(world: World, fault: Fault) -> None:
    world.objects.slow_until = world.clock.ticks + 20 + 30 * fault.size


def _storage_forgets(world: World, fault: Fault) -> None:
    world.objects.forget(10 + 20 * fault.size)


def _broker_away(world: World, fault: Fault) -> None:
    world.broker.away_until = world.clock.ticks + 5 + 20 * fault.size


def _messages(world: World, fault: Fault) -> None:
    fates = ("lost", "late", "doubled", "late", "doubled")
    world.broker.fates.extend(fates[(fault.which + i) % 5] for i in range(1 + fault.size % 4))


def _ask(what: str) -> Callable[[World, Fault], None]:
    def strike(world: World, fault: Fault) -> None:
        world.asked.append((what, fault.which))

    return strike


_KINDS: dict[str, Callable[[World, Fault], None]] = {
    "kill child": _kill(_worker),
    "kill worker": _kill(_worker, gone=True),
    "kill at put": _at_put(("unwritten, dies", "written, dies", "torn, dies")),
    "freeze at put": _at_put(("written, freezes",)),
    "kill at commit": _at_commit(_worker, _COMMITS[2:]),
    "stop worker": _stop,
    "stop at commit": _at_commit(_worker, _STOPS),
    "freeze worker": _freeze(_worker),
    "cut worker": _cut(_worker),
    "kill dispatcher": _kill(_dispatcher),
    "freeze dispatcher": _freeze(_dispatcher),
    "cut dispatcher": _cut(_dispatcher),
    "database away": _database_away,
    "database slow": _database_slow,
    "answer lost": _at_commit(_worker, _COMMITS[:2]),
    "dispatcher's answer lost": _at_commit(_dispatcher, _COMMITS),
    "storage away": _storage_away,
    "storage slow": _storage_slow,
    "put fails": _at_put(_PUTS),
    "broker emptied": lambda world, fault: world.broker.empty(),
    "broker away": _broker_away,
    "broker shuffled": lambda world, fault: world.broker.shuffle(),
    "messages": _messages,
    "unit fails": _unit(hangs=False),
    "unit hangs": _unit(hangs=True),
    "dismiss": _ask("dismiss"),
    "submit again": _ask("submit"),
    "retry": _ask("retry"),
    "storage forgets": _storage_forgets,
    LOSING: lambda world, fault: world.database.forget(),
}
