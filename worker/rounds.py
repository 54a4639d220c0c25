"""What a dispatcher tells Prometheus of its rounds, and of the storage as it finds it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from geogaze.ledger.records import Freed
from geogaze.metrics.listening import tell_version


class RoundFigures:
    """Counts of one dispatcher. One that stands by counts its rounds, and looks at the storage."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        tell_version(registry, "dispatcher")
        ProcessCollector(registry=registry)
        self._leads = Gauge(
            "geogaze_dispatcher_leads", "Whether this dispatcher leads.", registry=registry
        )
        self._rounds = Counter(
            "geogaze_dispatcher_rounds",
            "Rounds by how they ended: an outage of broker or database fails one.",
            ("outcome",),
            registry=registry,
        )
        self._sent = Counter("geogaze_messages", "Units handed out.", registry=registry)
        self._lost = Counter(
            "geogaze_messages_lost",
            "Units taken back from the broker, as nobody took them.",
            registry=registry,
        )
        self._expired = Counter(
            "geogaze_leases_expired",
            "Units taken back from workers whose leases ran out, by phase.",
            ("phase",),
            registry=registry,
        )
        self._depth = Gauge("geogaze_broker_messages", "Messages in the broker.", registry=registry)
        self._storage = Gauge(
            "geogaze_storage_up",
            "Whether the storage answered when it was last asked.",
            registry=registry,
        )
        self._removed = Counter(
            "geogaze_objects_removed",
            "Objects that nobody needed, removed from storage.",
            registry=registry,
        )
        for outcome in ("done", "failed"):
            self._rounds.labels(outcome)
        self._expired.labels("explain")  # alerts are on what is there

    def round_ended(self, *, done: bool) -> None:
        """Count a round."""
        self._rounds.labels("done" if done else "failed").inc()

    def leading(self, *, leads: bool) -> None:
        """Note whether this dispatcher leads."""
        self._leads.set(leads)

    def broker_has(self, messages: int) -> None:
        """Note how many messages lie in the broker."""
        self._depth.set(messages)

    def handed_out(self) -> None:
        """Count a unit that was handed out."""
        self._sent.inc()

    def taken_back(self, freed: Freed) -> None:
        """Count a unit that was taken back."""
        if freed.worker is None:
            self._lost.inc()
        else:
            self._expired.labels(freed.phase).inc()

    def storage_is(self, *, up: bool) -> None:
        """Note whether the storage answers."""
        self._storage.set(up)

    def removed(self, objects: int) -> None:
        """Count objects that were removed."""
        self._removed.inc(objects)
