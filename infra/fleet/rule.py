"""How many workers KEDA and Kubernetes want, as the ScaledObject beside says. Pure."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

SCALING = Path(__file__).parents[1] / "kubernetes/base/scaling.yaml"
"""What a deployment applies."""

_TOLERANCE = 0.1  # of the horizontal autoscaler: nearer to what is wanted, nothing changes


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Policy(_Told):
    """How far a number may change within a period."""

    type: Literal["Percent", "Pods"]
    value: int = Field(gt=0)
    period: int = Field(gt=0, alias="periodSeconds")

    def change(self, workers: int) -> int:
        """The most that so many may change by."""
        return self.value if self.type == "Pods" else math.ceil(workers * self.value / 100)


class Direction(_Told):
    """How soon and how far a number goes up, or down: by the policy that lets it go farthest."""

    window: int = Field(ge=0, alias="stabilizationWindowSeconds")
    policies: tuple[Policy, ...] = Field(min_length=1)


class Behavior(_Told):
    """Both directions."""

    up: Direction = Field(alias="scaleUp")
    down: Direction = Field(alias="scaleDown")


class Rule(_Told):
    """The rule of a fleet.

    ``target`` is the seconds of backlog that a worker is to have, ``polling`` and ``cooldown``
    those between looks at a fleet of none, and without work until there is none.
    """

    target: float = Field(gt=0)
    fewest: int = Field(ge=0)
    most: int = Field(gt=0)
    polling: float = Field(gt=0)
    cooldown: float = Field(ge=0)
    behavior: Behavior

    @classmethod
    def read(cls, path: Path = SCALING) -> Rule:
        """The rule that a ScaledObject has."""
        spec = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["spec"]
        (trigger,) = spec["triggers"]
        assert trigger["metricType"] == "AverageValue", "the threshold is each worker's"
        return cls(
            target=float(trigger["metadata"]["threshold"]),
            fewest=spec["minReplicaCount"],
            most=spec["maxReplicaCount"],
            polling=spec["pollingInterval"],
            cooldown=spec["cooldownPeriod"],
            behavior=spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        )


class Autoscaler:
    """What the rule makes of a backlog, look by look."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._wanted: deque[tuple[float, int]] = deque()
        self._were: deque[tuple[float, int]] = deque()
        self._active = -math.inf

    def wanted(self, now: float, backlog: float, workers: int) -> int:
        """How many workers there shall be.

        Args:
            now: seconds; never less than at the look before.
            backlog: seconds that one worker would be at it.
            workers: those there are, starting ones among them.
        """
        rule = self._rule
        if backlog > 0:
            self._active = now
        if workers == 0:
            self._were.clear()
            self._wanted.clear()
            return max(rule.fewest, 1 if backlog > 0 else 0)
        if rule.fewest == 0 and backlog <= 0 and now - self._active >= rule.cooldown:
            return 0
        share = backlog / (rule.target * workers)
        aim = workers if abs(share - 1) <= _TOLERANCE else math.ceil(backlog / rule.target)
        aim = min(max(aim, rule.fewest, 1), rule.most)
        return self._steadied(now, aim, workers)

    def _steadied(self, now: float, aim: int, workers: int) -> int:
        """What of an aim is reached at once: in spite of windows and policies."""
        up, down = self._rule.behavior.up, self._rule.behavior.down
        self._wanted.append((now, aim))
        while self._wanted[0][0] < now - max(up.window, down.window):
            self._wanted.popleft()
        lowest = min(aim for at, aim in self._wanted if at >= now - up.window)
        highest = max(aim for at, aim in self._wanted if at >= now - down.window)
        steady = min(max(workers, lowest), highest)
        self._were.append((now, workers))
        longest = max(policy.period for way in (up, down) for policy in way.policies)
        while self._were[0][0] < now - longest:
            self._were.popleft()
        if steady > workers:
            reach = max(self._before(now, p) + p.change(self._before(now, p)) for p in up.policies)
            return max(workers, min(steady, reach))
        if steady < workers:
            reach = min(
                self._before(now, p) - p.change(self._before(now, p)) for p in down.policies
            )
            return min(workers, max(steady, reach, self._rule.fewest, 1))
        return workers

    def _before(self, now: float, policy: Policy) -> int:
        """How many there were a policy's period ago."""
        return next(count for at, count in self._were if at >= now - policy.period)
