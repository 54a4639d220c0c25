"""A day of jobs on a fleet, by discrete events: what waits, what it costs. Pure and seeded.

Left out: reading and writing, which overlap with explaining; networks that are loaded anew; tenants
(jobs take turns, those first that have least in hand).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from infra.fleet.rule import Autoscaler, Rule

DAY = 86400.0
_LOOK = 15.0  # seconds between an autoscaler's looks at a fleet that is not empty
_UNIT_SECONDS = 60.0  # most work in a unit for the slowest worker
_FEWEST_TILES = 256  # in a unit, unless its job has fewer
_FINISHING = 5.0  # seconds at the end of a job, in which one worker puts its products together
_LEASE = 60.0  # until it is seen that a machine is gone
_GRACE = 20.0  # seconds that a worker that is told to stop goes on


@dataclass(frozen=True)
class Machine:
    """A kind of worker.

    Attributes:
        name: of it.
        tiles: explained in a second.
        price: of an hour.
        start: seconds from asking for it until its first unit: machine, image, network.
        losses: an hour, of spot machines; half of them come without a word.
    """

    name: str
    tiles: float
    price: float
    start: float = 120.0
    losses: float = 0.0


@dataclass(frozen=True)
class Load:
    """Jobs of a day: so many tiles together, more of them by day than at night."""

    tiles: float
    jobs: int = 300


@dataclass
class Outcome:
    """What came of a day.

    Attributes:
        waits: seconds from each job's arrival to its first unit, sorted.
        turnarounds: … and to its end.
        seconds: of workers from being asked for to their end, by machine.
        busy: of these, at units that were handed in.
        lost: units that were done again.
        series: (seconds, backlog in seconds of a worker, workers), look by look.
        cost: of all machines' seconds.
    """

    waits: list[float] = field(default_factory=list)
    turnarounds: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    busy: float = 0.0
    lost: int = 0
    series: list[tuple[float, float, int]] = field(default_factory=list)
    cost: float = 0.0

    @property
    def paid(self) -> float:
        """Seconds of all workers."""
        return sum(self.seconds.values())

    @property
    def peak(self) -> int:
        """The most workers that there were."""
        return max((workers for *_, workers in self.series), default=0)


def quantile(values: Sequence[float], share: float) -> float:
    """What a share of sorted values does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


@dataclass
class _Job:
    arrived: float
    units: list[float]  # tiles of each that waits; 0 is the putting together
    left: int
    in_hand: int = 0
    begun: float | None = None


@dataclass
class _Worker:
    machine: Machine
    asked: float
    ready: bool = False
    leaves: bool = False
    unit: tuple[_Job, float] | None = None
    began: float = 0.0
    until: float = math.inf
    gone: bool = False


class Day:
    """One day, and what is left of it then until it is done.

    Args:
        load: the jobs.
        machines: kinds in turn, as the fleet grows: what a cluster has of each is even.
        rule: by which it grows, or a number of workers that are always there.
        seed: of all that is random.
    """

    def __init__(
        self, load: Load, machines: Sequence[Machine], rule: Rule | int, seed: int = 1
    ) -> None:
        self._random = Random(seed)  # noqa: S311  no secret
        self._machines, self._outcome = machines, Outcome()
        self._fixed = rule if isinstance(rule, int) else None
        self._scaler = None if isinstance(rule, int) else Autoscaler(rule)
        self._events: list[tuple[float, int, str, object]] = []
        self._number = count()
        self._asked_for = count()
        self._now = 0.0
        self._jobs: list[_Job] = []  # with units that wait
        self._open = 0
        self._left = 0.0  # tiles
        self._finishing = 0
        slowest = min(machine.tiles for machine in machines)
        self._unit = max(_FEWEST_TILES, slowest * _UNIT_SECONDS)
        self._pace = sum(1 / machine.tiles for machine in machines) / len(machines)
        self._workers: list[_Worker] = []
        self._put(load)

    def _put(self, load: Load) -> None:
        """Jobs: many small, few large (log-normal), three in four of them by day."""
        draw = self._random
        sizes = [draw.lognormvariate(0, 1.8) for _ in range(load.jobs)]
        scale = load.tiles / sum(sizes)
        for size in sizes:
            by_day = draw.random() < 0.75
            hour = draw.triangular(7, 19, 11) if by_day else draw.uniform(0, 24)
            self._at(hour * 3600, "arrives", max(1.0, size * scale))

    def _at(self, when: float, what: str, whom: object = None) -> None:
        heapq.heappush(self._events, (when, next(self._number), what, whom))

    def play(self) -> Outcome:
        """The day, from its first second until its last job is done."""
        self._left_to_come = sum(what == "arrives" for _, _, what, _ in self._events)
        for _ in range(self._fixed or 0):
            self._ask(ready=True)
        self._at(0.0, "looks")
        while self._events and (self._left_to_come or self._open or self._now < DAY):
            self._now, _, what, whom = heapq.heappop(self._events)
            getattr(self, f"_{what}")(whom)
        for worker in list(self._workers):
            self._end(worker)
        self._outcome.waits.sort()
        self._outcome.turnarounds.sort()
        return self._outcome

    # What happens

    def _arrives(self, tiles: float) -> None:
        whole, rest = divmod(tiles, self._unit)
        units = [0.0] + [rest] * (rest > 0) + [self._unit] * int(whole)
        job = _Job(self._now, units, len(units))
        self._left_to_come -= 1
        self._open += 1
        self._left += tiles
        self._finishing += 1
        self._jobs.append(job)
        for worker in self._workers:
            if worker.ready and worker.unit is None and not worker.leaves:
                self._give(worker)

    def _looks(self, _: object) -> None:
        here = [worker for worker in self._workers if not worker.leaves]
        backlog = self._left * self._pace + self._finishing * _FINISHING
        self._outcome.series.append((self._now, backlog, len(here)))
        if self._scaler:
            wanted = self._scaler.wanted(self._now, backlog, len(here))
        else:
            wanted = self._fixed or 0
        for _ in range(wanted - len(here)):
            self._ask()
        # Those that start, then those that have nothing to do, go first.
        for worker in sorted(here, key=lambda w: (w.ready, w.unit is not None))[
            : max(0, len(here) - wanted)
        ]:
            self._stop(worker)
        self._at(self._now + _LOOK, "looks")

    def _starts(self, worker: _Worker) -> None:
        if not worker.gone:
            worker.ready = True
            self._give(worker)

    def _ends(self, told: tuple[_Worker, tuple[_Job, float]]) -> None:
        """A unit is done, unless its worker went before."""
        worker, unit = told
        if worker.gone or worker.unit is not unit:
            return
        job, tiles = unit
        self._outcome.busy += self._now - worker.began
        job.left -= 1
        job.in_hand -= 1
        if tiles:
            self._left -= tiles
        else:
            self._finishing -= 1
        if job.left == 0:
            self._open -= 1
            self._outcome.turnarounds.append(self._now - job.arrived)
        if job.units == [0.0] and job.left == 1 and job not in self._jobs:
            self._jobs.append(job)
        worker.unit = None
        if worker.leaves:
            self._end(worker)
        else:
            self._give(worker)

    def _is_lost(self, worker: _Worker) -> None:
        """A spot machine is taken away: with a word or without."""
        if worker.gone:
            return
        if self._random.random() < 0.5:
            self._stop(worker)
            return
        if worker.unit:
            self._at(self._now + _LEASE, "is_back", worker.unit)
            worker.unit = None
        self._end(worker)

    def _is_back(self, unit: tuple[_Job, float]) -> None:
        """A unit is to be had again."""
        job, tiles = unit
        self._outcome.lost += 1
        job.in_hand -= 1
        job.units.append(tiles)
        if job not in self._jobs:
            self._jobs.append(job)
        idle = (w for w in self._workers if w.ready and w.unit is None and not w.leaves)
        if worker := next(idle, None):
            self._give(worker)

    # What is done

    def _give(self, worker: _Worker) -> None:
        """The next unit: of the job with the fewest in hand."""
        if not self._jobs:
            return
        job = min(self._jobs, key=lambda job: (job.in_hand, job.arrived))
        tiles = job.units.pop()
        if not job.units or (job.units == [0.0] and job.left > 1):
            self._jobs.remove(job)  # what puts together waits for all the others
        if job.begun is None:
            job.begun = self._now
            self._outcome.waits.append(self._now - job.arrived)
        job.in_hand += 1
        took = tiles / worker.machine.tiles * self._random.lognormvariate(0, 0.1) or _FINISHING
        worker.unit, worker.began, worker.until = (job, tiles), self._now, self._now + took
        self._at(worker.until, "ends", (worker, worker.unit))

    def _ask(self, *, ready: bool = False) -> None:
        machine = self._machines[next(self._asked_for) % len(self._machines)]
        worker = _Worker(machine, self._now)
        self._workers.append(worker)
        self._at(self._now + (0 if ready else machine.start), "starts", worker)
        if machine.losses:
            self._at(self._now + self._random.expovariate(machine.losses / 3600), "is_lost", worker)

    def _stop(self, worker: _Worker) -> None:
        """Tell a worker to stop: what it cannot end in time it hands back."""
        worker.leaves = True
        if worker.unit and worker.until - self._now <= _GRACE:
            return
        if worker.unit:
            unit, worker.unit = worker.unit, None
            self._is_back(unit)
        self._end(worker)

    def _end(self, worker: _Worker) -> None:
        worker.gone = True
        self._workers.remove(worker)
        name, paid = worker.machine.name, self._now - worker.asked
        self._outcome.seconds[name] = self._outcome.seconds.get(name, 0.0) + paid
        self._outcome.cost += paid / 3600 * worker.machine.price
