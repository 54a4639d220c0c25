"""The processes that jobs may be of: one line each, and what a process is made of. Pure.

A process names its implementations by reference (see :mod:`geogaze.doors`): the API plans and
never loads a phase, workers do the phases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from geogaze.doors import resolve
from geogaze.errors import ProcessNotFound
from geogaze.processes.request import ProcessRequest
from geogaze.processes.wanted import Mode
from geogaze.version import VERSION

PROCESSES = {
    "explain": "geogaze.processes.explain.process:EXPLAIN",
    "audit": "geogaze.processes.audit.process:AUDIT",
    "echo": "geogaze.processes.echo:ECHO",
}
"""Where each process is described."""


@dataclass(frozen=True)
class Step:
    """A phase in a process's order.

    Attributes:
        name: of the phase; processes that name the same phase share its function.
        run: reference to the function that does a unit of it.
        share: of all the work, in percent, as progress counts it.
        doing: what is done, before the number of the unit: ``drawing overlay``.
        noun: what its items are, where they are counted, in a plural that ends in s: ``tiles``.
        shared: whether later jobs of the same content take its parts over; the first alone may be.
        stores: whether each of its units leaves objects in storage, besides what the ledger keeps.
    """

    name: str
    run: str
    share: int
    doing: str
    noun: str = ""
    shared: bool = False
    stores: bool = True


@dataclass(frozen=True)
class Output:
    """A product, or with ``{class}`` in its name a kind of them, for the description."""

    title: str
    media_type: str


@dataclass(frozen=True)
class Process:
    """What can be asked for, how it is planned, in which phases it is done, and what comes of it.

    Attributes:
        id: its name in paths.
        title: a few words.
        description: a sentence.
        request: the model of its inputs.
        plan: reference to the function ``(request, settings, local=…)`` that makes its plan, a
            :class:`~geogaze.processes.plan.ProcessPlan`.
        order: its phases. Each opens when the one before has no unit left.
        outputs: tells what it makes, by name.
        quote: reference to the function ``(plan, settings, earlier)`` that says what a job takes,
            by :class:`~geogaze.ledger.spending.Earlier` ones; None where nobody can tell.
        alike: inputs that jobs share which run at the same pace.
        job_control: the standard's ``jobControlOptions``; with ``sync-execute`` among them, whoever
            does not prefer otherwise waits for the results.
        transmission: how products may come, the usual way first.
        version: of the process.
    """

    id: str
    title: str
    description: str
    request: type[ProcessRequest]
    plan: str
    order: tuple[Step, ...]
    outputs: Callable[[], Mapping[str, Output]]
    quote: str | None = None
    alike: tuple[str, ...] = ()
    job_control: tuple[str, ...] = ("async-execute", "dismiss")
    transmission: tuple[Mode, ...] = ("reference", "value")
    version: str = field(default=VERSION)


def find_process(name: str) -> Process:
    """The process of an id.

    Raises:
        ProcessNotFound: there is none; says which there are.
    """
    if name not in PROCESSES:
        *others, last = map(repr, PROCESSES)
        offered = f"there are {', '.join(others)} and {last}" if others else f"there is {last}"
        raise ProcessNotFound(f"There is no process {name[:80]!r}; {offered}.")
    process: Process = resolve(PROCESSES[name])
    return process


def all_processes() -> list[Process]:
    """All processes, in the table's order."""
    return [find_process(name) for name in PROCESSES]


def load_processes() -> None:
    """Import what all processes plan and quote by, before anybody asks.

    Raises:
        LookupError: a reference leads nowhere.
    """
    for process in all_processes():
        for reference in filter(None, (process.plan, process.quote)):
            resolve(reference)


def phase_references() -> dict[str, str]:
    """Where each phase of any process is done, by the phase's name.

    Raises:
        LookupError: two processes mean different functions by one name.
    """
    references: dict[str, str] = {}
    for process in all_processes():
        for step in process.order:
            if references.setdefault(step.name, step.run) != step.run:
                raise LookupError(
                    f"Phase {step.name!r} of process {process.id!r} is done by {step.run!r}, and "
                    f"that of another process by {references[step.name]!r}: name one of them anew."
                )
    return references
