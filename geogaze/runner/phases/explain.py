"""The phase explain: a chunk of tiles, read, explained and stored as a part."""

from __future__ import annotations

from pathlib import Path

from geogaze.evidence.engines import load_engine
from geogaze.ledger.records import Claim
from geogaze.ledger.retries import Patience
from geogaze.processes.explain.glimpses import packed
from geogaze.processes.explain.plan import Plan
from geogaze.runner.chunk import explain_chunk
from geogaze.runner.glimpses import glimpse_of, show_so_far
from geogaze.runner.part import store_chunk
from geogaze.runner.phases.resources import (
    Outcome,
    Resources,
    open_planned,
    resolve_bundle,
)
from geogaze.runner.pulse import Pulse


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
