"""Who asks: tenants by keys, with quotas and rates, and somebody who asks for what is not theirs.

While all breaks, a foreign or closed key must open nothing, what is refused for a quota or a rate
must say when to come again and leave nothing behind, and no tenant may have more open jobs than
its quota. In the end there must be room for as many as in the beginning.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from uuid import uuid4

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geogaze.following import Document
from geogaze.ledger.database import DATABASE_AWAY, connect
from geogaze.ledger.keys import Keys
from geogaze.ledger.scopes import Scope
from geogaze.ledger.states import OPEN_JOB
from geogaze.ledger.tables import Job
from infra.stack import Stack

NAMES = ("anna", "bob")
PLANNERS = "planners"  # whose scenes are never read
FOREIGN = "eve"
QUOTA_JOBS = 2
_ROTATED = 0.2  # chance at each step that a tenant's key gives way to a new one
_SECONDS = 20.0
ENVIRONMENT = {
    "GEOGAZE_KEYS": "true",
    "GEOGAZE_QUOTA_JOBS": str(QUOTA_JOBS),
    # Never reached, but counted with each job.
    "GEOGAZE_QUOTA_TILES": "1000000",
    "GEOGAZE_QUOTA_BYTES": str(10**12),
    "GEOGAZE_REQUEST_RATE": "600/minute",
    "GEOGAZE_SUBMIT_RATE": "30/minute",
    "GEOGAZE_WRONG_KEY_RATE": "600/minute",
}
LOSSES = (
    "strangers_let_in",
    "refusals_without_retry_after",
    "quotas_overdrawn",
    "quotas_not_given_back",
    "refused_left_behind",
)


class Tenants:
    """Keys and what is asked with them.

    Args:
        stack: whose API is asked; its database has to run when keys are made.
        chance: decides who asks for what.
    """

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self._stack, self._chance = stack, chance
        self._database = connect(stack.postgres.url)
        self._ids: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._closed = ["geogaze_" + "0" * 12 + "_" + "x" * 43]
        self._refused: list[str] = []
        self.counts: Counter[str] = Counter(
            dict.fromkeys(
                [*LOSSES, "quota_refused", "rate_refused", "strangers_refused", "keys_rotated"], 0
            )
        )
        # Requests are counted where everything is forgotten now and then.
        stack.api.environment["GEOGAZE_RATE_STORE"] = stack.redis.url

    def make_keys(self) -> None:
        """A key for each."""
        for name in (*NAMES, PLANNERS, FOREIGN):
            record, self._keys[name] = Keys(self._database).create(
                name, tenant=name, scopes={Scope.READ, Scope.SUBMIT}
            )
            self._ids[name] = record.id

    def key(self, tenant: str) -> str:
        """That works for a tenant now."""
        return self._keys[tenant]

    def step(self, jobs: list[tuple[str, str]]) -> None:
        """Ask for what is not ours, and see that nobody has too much.

        Args:
            jobs: ids and tenants of those that were accepted.
        """
        if self._chance.random() < _ROTATED:
            self._rotate(self._chance.choice(NAMES))
        if jobs:
            self._intrude(*self._chance.choice(jobs))
        for name in NAMES:
            held = self._open(name)
            self.counts["quotas_overdrawn"] += held is not None and held > QUOTA_JOBS

    def fill(self, submit: Callable[[str], bool], inputs: Document) -> None:
        """In peace, with workers at rest and no open job: each has room for its quota, and no more.

        Args:
            submit: a job of a tenant's; whether it was accepted.
            inputs: of one job too many.
        """
        for name in NAMES:
            accepted = sum(submit(name) for _ in range(QUOTA_JOBS))
            self.counts["quotas_not_given_back"] += accepted != QUOTA_JOBS
            held = self.counts["quota_refused"]
            self.patiently(partial(self._one_too_many, name, inputs))
            self.counts["quotas_overdrawn"] += self.counts["quota_refused"] == held

    def patiently(self, ask: Callable[[], None]) -> None:
        """Ask again while it is the rate that refuses."""
        while True:
            before = self.counts["rate_refused"]
            ask()
            if self.counts["rate_refused"] == before:
                return
            time.sleep(2)

    def finish(self) -> dict[str, int]:
        """What came of it all; the losses are 0 where nothing went wrong."""
        with Session(self._database) as session:
            known = select(func.count()).where(Job.idempotency_key.in_(self._refused))
            self.counts["refused_left_behind"] = session.scalar(known) or 0
            still = select(func.count()).where(Job.state.in_(OPEN_JOB))
            self.counts["quotas_not_given_back"] += session.scalar(still) or 0
        self._database.dispose()
        return dict(self.counts)

    def see(self, answer: httpx.Response) -> None:
        """An answer of the API's to whomever: those of refusals are counted and judged."""
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            return
        answer.read()
        kind = str(answer.json().get("type", ""))
        self.counts["quota_refused" if kind.endswith("quota-exceeded") else "rate_refused"] += 1
        told = answer.headers.get("Retry-After", "")
        self.counts["refusals_without_retry_after"] += not (told.isdecimal() and int(told) > 0)

    def _one_too_many(self, name: str, inputs: Document) -> None:
        """A job beyond the quota, which must not come to be."""
        asked = uuid4().hex
        headers = {"Idempotency-Key": asked, "Prefer": "respond-async"}
        answer = self._ask(
            "POST", "/processes/explain/execution", self._keys[name], inputs, headers
        )
        if answer is not None and answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            self._refused.append(asked)

    def _open(self, name: str) -> int | None:
        counted = select(func.count()).where(Job.tenant == name, Job.state.in_(OPEN_JOB))
        with suppress(*DATABASE_AWAY), Session(self._database) as session:
            return session.scalar(counted)
        return None

    def _rotate(self, name: str) -> None:
        with suppress(*DATABASE_AWAY):
            record, key = Keys(self._database).rotate(self._ids[name])
            self._closed.append(self._keys[name])
            self._ids[name], self._keys[name] = record.id, key
            self.counts["keys_rotated"] += 1

    def _intrude(self, job: str, tenant: str) -> None:
        """Ask for somebody's job by a stranger's key, by one that is closed, and by none."""
        other = FOREIGN if self._chance.random() < 0.5 else NAMES[tenant == NAMES[0]]
        for method, path in (("GET", ""), ("GET", "/results"), ("POST", "/retry"), ("DELETE", "")):
            self._must_be(HTTPStatus.NOT_FOUND, method, f"/jobs/{job}{path}", self._keys[other])
            shown = self._chance.choice([None, *self._closed])
            self._must_be(HTTPStatus.UNAUTHORIZED, method, f"/jobs/{job}{path}", shown)

    def _must_be(self, status: HTTPStatus, method: str, path: str, key: str | None) -> None:
        answer = self._ask(method, path, key)
        if answer is None or answer.is_server_error:
            return  # away, which opens nothing
        if answer.status_code not in {status, HTTPStatus.TOO_MANY_REQUESTS}:
            self.counts["strangers_let_in"] += 1
        else:
            self.counts["strangers_refused"] += answer.status_code == status

    def _ask(
        self,
        method: str,
        path: str,
        key: str | None,
        inputs: Document | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        """The answer; None where there was none."""
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"inputs": inputs} if inputs else None
        try:
            answer = httpx.request(
                method,
                self._stack.api_url + path,
                headers=shown | (headers or {}),
                json=body,
                timeout=_SECONDS,
                trust_env=False,
            )
        except httpx.HTTPError:
            return None
        self.see(answer)
        return answer
