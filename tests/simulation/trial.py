"""Running a schedule to its end, and what must hold then."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from geogaze.errors import IllegalTransition, JobNotFound
from geogaze.grid.rectangles import Division
from geogaze.ledger.collection import Collection
from geogaze.ledger.records import attempt_of
from geogaze.ledger.states import OPEN_JOB, JobState
from tests.simulation.clock import Process, Stuck
from tests.simulation.faults import schedule_losses, strike
from tests.simulation.history import Violation
from tests.simulation.schedule import FAULTS_UNTIL, LOSING, Schedule
from tests.simulation.storage import SimulatedStorage
from tests.simulation.work import all_items, product, submission
from tests.simulation.world import _FIGURES, LEASE_TICKS, SETTINGS, World
from worker.sweeper import Sweeper

_STEP_TICKS = 12
_PEACE_AFTER = FAULTS_UNTIL + 100
_LIMIT_TICKS = 6000
_RETRIES = 4
_OPEN = {str(state) for state in OPEN_JOB}


@dataclass(frozen=True)
class Verdict:
    """How a schedule ended: what it violated, if anything, and the ticks it took."""

    violation: str | None
    ticks: int
    seconds: float
    transactions: int


def run(schedule: Schedule, log: Any = None) -> Verdict:
    """Run a schedule to its end, or to the first violation."""
    started = time.process_time()
    world = World(schedule, log)
    if log is not None:
        log.clock = world.clock
    with world.replaced:
        try:
            Client(world).run()
        except (Violation, Stuck) as error:
            world.fail(error)
        finally:
            _end(world)
    violation = world.violation
    words = None if violation is None else f"{type(violation).__name__}: {violation}"
    return Verdict(
        words, world.clock.ticks, time.process_time() - started, world.database.transactions
    )


def _end(world: World) -> None:
    """Let all strands end, which the next world's would meet."""
    for process in [*world.workers, *world.dispatchers]:
        world.clock.kill(process)
    with suppress(Stuck):
        while any(not s.ended for p in world.processes for s in p.strands):
            world.clock.wait(1)


class Client:
    """Whoever submits the jobs, restarts what died, and looks at what came of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[int, UUID] = {}
        self._retries: dict[UUID, int] = {}
        self._dismissed: set[UUID] = set()
        self._restarts: dict[Process, int] = {}

    def run(self) -> None:
        """All of it."""
        world, schedule = self._world, self._world.schedule
        clock = world.clock
        for number, job in enumerate(schedule.jobs):
            world.work.poison[submission(job, number).content] = job.poison
        for fault in schedule.faults:
            if fault.kind == LOSING:
                schedule_losses(world, fault)
            clock.at(fault.at, lambda fault=fault: strike(world, fault))  # type: ignore[misc]
        for _ in range(schedule.dispatchers):
            world.start_dispatcher()
        for _ in range(schedule.workers):
            world.start_worker()
        while world.violation is None and not self._ended():
            if clock.ticks > _LIMIT_TICKS:
                raise Violation("a job does not end")
            if clock.ticks > _PEACE_AFTER and not world.at_peace:
                world.make_peace()
            self._submit_due()
            self._do_asked()
            self._restart()
            clock.wait(_STEP_TICKS)
        if world.violation is None:
            self._leave()
            self._check()

    def _ended(self) -> bool:
        if len(self._jobs) < len(self._world.schedule.jobs):
            return False
        return all(self._at_end(job) for job in self._jobs.values())

    def _at_end(self, job: UUID) -> bool:
        row = self._world.judge.jobs.get(job.hex)
        if row is None:
            raise Violation("a job that was accepted is gone")
        if row.state in _OPEN:
            return False
        tries = self._retries.get(job, 0)
        if row.state == "failed" and tries < (1 if self._poisoned(job) else _RETRIES):
            self._retries[job] = tries + 1
            self._retry(job)
            return False
        return True

    def _poisoned(self, job: UUID) -> bool:
        """Whether a job has an item that kills whoever tries it, and is not to go on without."""
        number = next(number for number, known in self._jobs.items() if known == job)
        shape = self._world.schedule.jobs[number]
        return bool(shape.poison) and not shape.skips

    def _retry(self, job: UUID) -> None:
        with suppress(IllegalTransition, JobNotFound):
            self._world.ledger.retry(job)

    def _submit_due(self) -> None:
        for number, shape in enumerate(self._world.schedule.jobs):
            if number not in self._jobs and shape.at <= self._world.clock.ticks:
                self._jobs[number] = self._world.ledger.submit(submission(shape, number))

    def _do_asked(self) -> None:
        world = self._world
        asked, world.asked = world.asked, []
        for what, which in asked:
            number = which % len(world.schedule.jobs)
            if number not in self._jobs:
                continue
            job = self._jobs[number]
            if what == "submit":
                again = world.ledger.submit(submission(world.schedule.jobs[number], number))
                if again != job:
                    raise Violation("a job was accepted twice")
            elif what == "retry":
                self._retry(job)
            else:
                with suppress(IllegalTransition):
                    world.ledger.dismiss(job)
                    self._dismissed.add(job)

    def _restart(self) -> None:
        """Start anew what died, a while after."""
        world, now = self._world, self._world.clock.ticks
        for kind, start in (("workers", world.start_worker), ("dispatchers", None)):
            for process in [one for one in getattr(world, kind) if not one.alive]:
                due = self._restarts.setdefault(process, now + world.chance.randrange(20))
                if now >= due:
                    getattr(world, kind).remove(process)
                    if start:
                        start(None if process.gone else process.name)
                    else:
                        world.start_dispatcher()

    def _leave(self) -> None:
        """End all processes, and sweep what they left, once no lease holds."""
        world = self._world
        world.make_peace()
        for process in [*world.workers, *world.dispatchers]:
            world.kill(process)
        world.clock.wait(LEASE_TICKS + 1)
        if not self._leftovers():
            return
        swept = Sweeper(
            SETTINGS, Collection(world.database.engine), SimulatedStorage(world.objects), _FIGURES
        )
        swept.collect_all()

    def _leftovers(self) -> list[str]:
        """What a sweep is to remove: objects that nobody needs, and jobs that were dismissed."""
        judge = self._world.judge
        unreleased = [
            job.id
            for job in judge.jobs.values()
            if job.state == JobState.DISMISSED and job.released is None
        ]
        held = self._world.objects.held
        return [*unreleased, *(key for key in held if not judge.visible(attempt_of(key)))]

    def _check(self) -> None:
        world = self._world
        judge = world.judge
        if len(judge.jobs) != len(self._jobs):
            raise Violation(f"{len(judge.jobs)} jobs for {len(self._jobs)} keys")
        for key in world.objects.held:
            if not judge.visible(attempt_of(key)):
                raise Violation(f"{key} is left behind")
        for number, job in self._jobs.items():
            row = judge.jobs[job.hex]
            if row.state == "dismissed":
                if job not in self._dismissed:
                    raise Violation("a job was dismissed, and nobody asked")
                if row.released is None:
                    raise Violation("a dismissed job was not released")
            elif row.state == "failed" and not self._poisoned(job):
                raise Violation(f"a job fails, again and again, in peace: {row.problem}")
            elif row.state == "successful":
                self._check_product(row, number)

    def _check_product(self, row: Any, number: int) -> None:
        world, shape = self._world, self._world.schedule.jobs[number]
        skipped: set[tuple[int, int]] = set()
        for unit in world.judge.units.values():
            if unit.job == row.id and unit.state == "skipped":
                rectangle = world.judge.phases[row.id][0].rectangle(unit)
                assert rectangle
                skipped.add(rectangle[:2])
        items = all_items(Division(shape.rows, shape.cols, shape.side))
        if any(item in shape.poison and item not in skipped for item in items):
            raise Violation("a poisoned item was done")
        left = [item for item in items if item not in skipped]
        key = json.loads(row.assets)["files"]["product"]["key"]
        if key in world.objects.forgotten:
            return
        if world.objects.held.get(key) != product(submission(shape, number).content, left):
            raise Violation(f"the product of a job is not what it must be: {key}")
