"""A schedule's world: real dispatchers, sweepers and workers on simulated surroundings."""

from __future__ import annotations

import math
import random
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from celery.exceptions import Reject
from typing_extensions import override

from geogaze.config import Settings
from geogaze.ledger import claims, retries, submission, transitions
from geogaze.ledger.collection import Collection
from geogaze.ledger.retries import Patience
from geogaze.ledger.store import Ledger
from geogaze.runner import company, heartbeat, lanes, work
from geogaze.runner.phases import Resources
from tests.simulation.broker import Broker
from tests.simulation.clock import TICK, Clock, Killed, Process, Strand
from tests.simulation.database import Server
from tests.simulation.history import History, Violation
from tests.simulation.judge import Judge, Known
from tests.simulation.recorded import RecordedClaims, RecordedQueue
from tests.simulation.schedule import Schedule
from tests.simulation.storage import Objects, SimulatedStorage
from tests.simulation.threads import Event, threading_of, time_of
from tests.simulation.work import OBJECTS, Work
from worker import child, dispatcher, sweeper, tasks
from worker.rounds import RoundFigures

LEASE_TICKS = 128
SETTINGS = Settings(
    lease_seconds=LEASE_TICKS * TICK,
    max_attempts=3,
    split_attempts=2,
    outage_patience=3,
    backoff_seconds=0.5,
    backoff_cap_seconds=2.0,
    redeliver_seconds=30.0,
    lost_seconds=3.0,
    lead_seconds=128 * TICK,
    dispatch_interval=7.0,
    collect_seconds=25.0,
    storage="nowhere",
    scratch=Path("/nowhere"),
)
_SWEEP_SECONDS = 9.0
_OFTEN = SETTINGS.model_copy(update={"collect_seconds": _SWEEP_SECONDS})
_JUST_THEN = 0.7
_FIGURES = RoundFigures()


class Quiet:
    """A log that nobody reads."""

    def __getattr__(self, name: str) -> Any:
        return self._nothing

    def _nothing(self, *_: object, **__: object) -> None:
        pass


class _Rounds(Event):
    """What rounds wait for; now and then one begins just as a lease or a lead runs out."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world

    @override
    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and self._world.chance.random() < _JUST_THEN:
            now = self._clock.seconds
            before = self._world.chance.randrange(3) * TICK
            ends = self._world.history.next_end(now) - before
            timeout = max(0.0, min(timeout, ends - now))
        return super().wait(timeout)


class World:
    """Everything that a schedule is about.

    Args:
        schedule: the schedule.
        log: where the code under test says what it does.
    """

    def __init__(self, schedule: Schedule, log: Any = None) -> None:
        self.schedule = schedule
        self.log = log or Quiet()
        self.violation: BaseException | None = None
        self.chance = random.Random(f"world {schedule.seed}")
        self.clock = Clock(random.Random(f"order {schedule.seed}"), self._crashed)
        self.judge = Judge(Known(self._forgetful, self._holds, self._to_blame))
        self.history = History(LEASE_TICKS * TICK, self.judge.is_open, self.fail)
        self.objects = Objects(self.clock, self.chance, self._removed)
        self.broker = Broker(self.clock, self.chance)
        self.work = Work(self.clock, self.chance, self.fail)
        self.database = Server(
            self.clock, self.chance.randbytes, self._pause, self._committed, self.stop
        )
        self.ledger = Ledger(self.database.engine)
        self.workers: list[Process] = []
        self.dispatchers: list[Process] = []
        self._names = 0
        self.at_peace = False
        self.processes: list[Process] = []
        self.asked: list[tuple[str, int]] = []
        """What clients are to ask for next, and of which job."""

    # What the code under test is given in place of the machine's

    @cached_property
    def replaced(self) -> ExitStack:
        """The machine's clocks, threads and chances, replaced until it is closed."""
        stack = ExitStack()
        threading, time = threading_of(self.clock), time_of(self.clock)
        own = SimpleNamespace(uniform=self.chance.uniform)

        def put(module: Any, **names: Any) -> None:
            stack.enter_context(patch.multiple(module, **names))

        put(
            work,
            threading=threading,
            time=time,
            log=self.log,
            perform=self.work.perform,
            clean_scratch=lambda settings: None,
            device_name=lambda settings: None,
            device_kind=lambda settings: "none",
            process_name=lambda: self.clock.running.process.name,  # type: ignore[union-attr]
            _REPORT_SECONDS=25.0,
            _ASK_SECONDS=2.0,
            _TELL_SECONDS=4.0,
        )
        put(heartbeat, threading=threading, time=time, log=self.log)
        put(company, threading=threading)
        put(lanes, threading=threading, keep_freed_memory=lambda: None)
        put(retries, random=own)
        for module in (claims, submission, transitions):
            put(module, uuid4=self._uuid)
        put(dispatcher, log=self.log, new_name=lambda: self.clock.running.process.name)  # type: ignore[union-attr]
        put(
            sweeper,
            log=self.log,
            time=time,
            threading=threading,
            Uploads=lambda *_: SimpleNamespace(expire=lambda stopped: 0),
            _PAUSE_SECONDS=_SWEEP_SECONDS,
        )
        put(tasks, time=time)
        put(
            child,
            log=self.log,
            logging=SimpleNamespace(shutdown=lambda: None),
            os=SimpleNamespace(_exit=self._exit, EX_SOFTWARE=70),
            these_lanes=lambda: self.clock.running.process.lanes,  # type: ignore[union-attr]
            this_worker=lambda: self.clock.running.process.worker,  # type: ignore[union-attr]
        )
        return stack

    def _uuid(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _pause(self) -> int:
        return (0, 0, 0, 0, 1, 1, 2, 4)[self.chance.randrange(8)]

    # Processes

    def start_worker(self, name: str | None = None) -> None:
        process = Process(name or self._new_name("worker"))
        self.workers.append(process)
        self.processes.append(process)
        self.clock.start(process, lambda: self._be_worker(process))

    def _be_worker(self, process: Process) -> None:
        process.strands[0].thread = SimpleNamespace(name="main")
        kept = RecordedClaims(
            self.database.engine,
            lease_seconds=SETTINGS.lease_seconds,
            patience=Patience.of(SETTINGS),
        )
        kept.clock, kept.history = self.clock, self.history
        resources = Resources(SETTINGS, self.ledger, SimulatedStorage(self.objects))
        process.worker = work.Worker(resources, kept)
        process.worker.enlist()
        process.lanes = lanes.Lanes(
            process.worker, self.schedule.lanes, on_broken=child.end_process
        )
        while True:
            unit = self.broker.take(process)
            try:
                tasks.run_unit.run(str(unit))
            except Reject:
                self.broker.send_task("", args=[str(unit)], priority=0)

    def start_dispatcher(self) -> None:
        process = Process(self._new_name("dispatcher"))
        self.dispatchers.append(process)
        self.processes.append(process)
        self.clock.start(process, lambda: self._be_dispatcher(process))

    def _be_dispatcher(self, process: Process) -> None:
        stop: Any = _Rounds(self)
        queue = RecordedQueue(self.database.engine)
        queue.clock, queue.history = self.clock, self.history
        served: Any = dispatcher.Dispatcher(SETTINGS, queue, self.broker, _FIGURES)  # type: ignore[arg-type]
        settings = _OFTEN if self.schedule.collects else SETTINGS
        swept = sweeper.Sweeper(
            settings, Collection(self.database.engine), SimulatedStorage(self.objects), _FIGURES
        )
        swept._looked = math.inf  # nobody looks at these figures
        self.clock.start(process, lambda: swept.run(stop, lambda: served.leads))
        served.run(stop)

    def _new_name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def kill(self, process: Process, to_blame: Any = None) -> None:
        """Kill a process from outside."""
        if process.alive:
            self.work.lost(process, to_blame)
            self.clock.kill(process)

    def stop(self, process: Process) -> None:
        """Tell a worker to end, as a machine does that is taken away."""
        if not process.lanes or process.leaving:
            return
        process.leaving = True

        def leave() -> None:
            child.leave()
            self.kill(process)

        self.clock.start(process, leave)

    def _exit(self, status: int) -> None:
        process = self.clock.running.process
        assert process
        self.clock.kill(process)
        raise Killed

    def make_peace(self) -> None:
        """No fault from here on."""
        self.at_peace = True
        self.database.slow_until = self.objects.slow_until = 0
        self.database.away_until = self.objects.away_until = self.broker.away_until = 0
        self.database.cut_until.clear()
        self.database.fates.clear()
        self.objects.fates.clear()
        self.broker.fates.clear()
        self.work.fates.clear()

    # What is judged

    def _crashed(self, strand: Strand, error: BaseException) -> None:
        self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Note the first thing that went wrong; the schedule ends."""
        if self.violation is None:
            self.violation = error
            self.log.error("violation", what=str(error))

    def _committed(self, raw: Any) -> None:
        units = self.judge.units
        failed = [job.id for job in self.judge.jobs.values() if job.state == "failed"]
        try:
            self.judge.look(raw)
        except Violation as error:
            self.fail(error)
        for unit in units.keys() - self.judge.units.keys():
            self.history.gone(UUID(unit))
        for job in failed:
            if self.judge.jobs[job].state == "running":
                self.history.begun_anew(UUID(job))

    def _removed(self, key: str) -> None:
        if self.judge.visible(sweeper.attempt_of(key)):
            self.fail(Violation(f"{key} was removed, and is needed"))

    def _holds(self, phase: str, prefix: str) -> bool:
        keys = [f"{prefix}{name}" for name in OBJECTS[phase]]
        return all(key in self.objects.held or key in self.objects.forgotten for key in keys)

    def _forgetful(self) -> bool:
        return bool(self.objects.forgotten)

    def _to_blame(self, unit: Any, rectangle: Any) -> bool:
        return self.work.causes.get((unit.id, unit.attempt)) != "company"
