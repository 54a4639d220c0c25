"""The phase explain: a chunk of tiles, read, explained and stored as a part."""

from __future__ import annotations

from pathlib import Path

from geogaze.config import Settings
from geogaze.errors import InvalidBundle
from geogaze.evidence.engines import load_engine
from geogaze.ledger.records import Claim
from geogaze.ledger.retries import Patience
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.registry import find_bundle
from geogaze.processes.explain.glimpses import packed
from geogaze.processes.explain.plan import Plan
from geogaze.runner.chunk import explain_chunk
from geogaze.runner.glimpses import glimpse_of, show_so_far
from geogaze.runner.part import store_chunk
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    open_planned,
)
from geogaze.runner.pulse import Pulse


def resolve_bundle(plan: Plan, settings: Settings) -> Bundle:
    """The bundle of a plan, as it lies on this machine.

    Raises:
        InvalidBundle: it has other weights here than where the job was planned.
    """
    if plan.local and plan.bundle.folder is None:  # one of torchvision's
        return plan.bundle
    if plan.local:
        assert plan.bundle.folder is not None
        bundle = read_bundle(plan.bundle.folder)
    else:
        bundle = find_bundle(plan.bundle.name, settings.model_folders)
    if bundle.weights != plan.bundle.weights:
        raise InvalidBundle(
            f"Model {bundle.name!r} has the weights {bundle.weights} on this worker, but the job "
            f"was accepted with {plan.bundle.weights}. Give all machines the same bundles."
        )
    # A bundle may have been calibrated anew since; one job has one scale of probabilities.
    return bundle.model_copy(update={"temperature": plan.bundle.temperature})


def run(resources: Resources, claim: Claim, pulse: Pulse, scratch: Path) -> Outcome:
    """One chunk, from pixels to a stored part."""
    plan = Plan.read(claim.plan)
    settings = resources.settings
    engine = load_engine(resolve_bundle(plan, settings), settings, plan.method, plan.context)
    chunk = plan.chunk(claim.root, claim.rectangle)
    # What a remote store did not send may come the next time.
    last_try = Patience.of(settings).is_last(claim.failures)
    lenient = plan.on_error == "skip" and (last_try or not plan.scene.remote)
    with open_planned(resources, plan, lenient=lenient) as scene:
        done = explain_chunk(plan, chunk, scene, engine, pulse)
    glimpse = glimpse_of(chunk, done)
    store_chunk(resources.storage, claim.prefix, done.table, done.evidence, packed(glimpse))
    seen = done.table.seen
    result = {
        "seen": int(seen.sum()),
        "won": done.present,
        "path": done.route,
        "ran": done.ran,
        **({"nowhere": True} if done.table.nowhere is not None else {}),
        "so_far": show_so_far(resources.ledger, resources.storage, claim, plan, chunk, glimpse),
        "unreadable": done.unreadable,
    }
    return Outcome(result, items=len(seen))
