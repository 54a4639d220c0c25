"""The audit of a class over scenes whose objects are known: measure, change, judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from geogaze.audit.accounts import Causal, Sheet, caused, distances, sheets
from geogaze.audit.balance import Bias, Floats, bias_of
from geogaze.audit.causing import Effects, change
from geogaze.audit.collecting import Candidate, to_collect
from geogaze.audit.measuring import Measured, measure, together
from geogaze.audit.placing import Placed, placed
from geogaze.audit.samples import Samples
from geogaze.audit.sites import Place, Site, open_site
from geogaze.audit.verdict import Verdict, judge
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.engines import load_engine
from geogaze.models.bundles import Bundle
from geogaze.models.targets import least
from geogaze.processes.audit.plan import AuditPlan

_RANDOM_SCENES = 8

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Audit:
    """All that was found of a class of a model.

    ``tiles`` were looked at, of which ``showing`` show an object; ``gsd`` is metres per pixel.
    ``closures`` are, for each class, how far evidence and bias are from the logit at most.
    ``distances`` are mean evidence of recognised tiles, in logits, by metres from objects.
    ``collect`` are tiles to label next, see :func:`geogaze.audit.collecting.to_collect`.
    """

    model: str
    name: str
    gsd: float
    sites: tuple[str, ...]
    tiles: int
    showing: int
    bias: Bias
    closures: dict[str, float]
    sheets: dict[str, Sheet]
    distances: dict[str, float]
    placed: Placed
    causal: Causal
    verdict: Verdict
    collect: tuple[Candidate, ...]


@dataclass(frozen=True)
class Seen:
    """All that was found on a scene of an audit, before it is judged.

    ``at`` is its position; ``effects`` are None where there was nothing to change, ``randomised``
    the evidence (n, g, g) of its tiles by the same network without training, None where it was
    not asked.
    """

    at: int
    measured: Measured
    effects: Effects | None
    randomised: Floats | None


def audit(
    plan: AuditPlan, settings: Settings, *, on_progress: Progress = lambda said: None
) -> Audit:
    """Find out whether a model decides on its object or on what surrounds it, in this process.

    Workers do the same unit by unit (:mod:`geogaze.runner.phases.measure` and what follows it).

    Args:
        plan: scenes whose objects are known, a model and a class.
        settings: as for any job.
        on_progress: told of each scene and what is done to it.

    Raises:
        InvalidRequest: none of the scenes shows an object.
    """
    bundle = plan.bundle
    engine = load_engine(bundle, settings)
    without = without_learning(bundle)
    runs = defaultdict(list)
    for number in range(plan.strips.count):
        for at, numbers in plan.pieces(plan.strips.rectangle(number)):
            runs[at].append(numbers)
    found: list[Seen] = []
    showing: dict[int, bool] = {}
    for at, site_plan in enumerate(plan.sites):
        with open_site(plan, at, settings) as site:
            on_progress(f"{site.name}: looking at {site_plan.tiles:,} tiles")
            looked = [measure(site, engine, plan.target, site_plan.places(run)) for run in runs[at]]
            parts = [part for part in looked if part]
            measured = together(parts)
            if measured is None:
                on_progress(f"{site.name}: no tile is known in full, so it is left out")
                continue
            showing[at] = bool(measured.shows.any())
            randomised = None
            if without and (seed := seeds_of_random(showing, plan.seed).get(at)) is not None:
                on_progress(f"{site.name}: looking with random weights")
                randomised = np.concatenate(
                    [without(site, part.at, plan.target, seed) for part in parts]
                )
            on_progress(f"{site.name}: changing the world")
            effects = change(
                site, measured, engine, plan.target, (plan.target, None), plan.changed, plan.seed
            )
            found.append(Seen(at, measured, effects, randomised))
    return judged(plan, found)


def seeds_of_random(showing: Mapping[int, bool], seed: int) -> dict[int, int]:
    """The scenes that are also looked at with random weights, and the seed of each one's.

    Args:
        showing: of each scene that has a tile that is known in full, by its position, in order,
            whether any shows an object.
        seed: of all that is drawn.
    """
    numbers = [(at, number) for number, at in enumerate(showing) if showing[at]]
    return {at: seed + number for at, number in numbers[:_RANDOM_SCENES]}


def judged(plan: AuditPlan, seen: Sequence[Seen]) -> Audit:
    """What comes of all that was found.

    Raises:
        InvalidRequest: none of the scenes shows an object.
    """
    bundle, target, seed = plan.bundle, plan.target, plan.seed
    found = [one.measured for one in seen]
    if not any(measured.shows.any() for measured in found):
        raise InvalidRequest("No tile of these scenes shows an object: nothing can be audited.")
    samples = Samples.of(found, target)
    biases = [
        bias_of(
            np.concatenate([measured.logits[:, k] for measured in found]),
            np.concatenate([measured.sums[:, k] for measured in found]),
        )
        for k in range(len(bundle.classes))
    ]
    randomised = {
        number: one.randomised - one.randomised.mean()  # random weights have no zero of their own
        for number, one in enumerate(seen)
        if one.randomised is not None
    }
    causal = caused(found, [one.effects for one in seen], seed)
    sites = [plan.sites[one.at] for one in seen]
    return Audit(
        model=bundle.name,
        name=plan.name,
        gsd=sites[-1].gsd,
        sites=tuple(site.name for site in sites),
        tiles=len(samples.area),
        showing=int(samples.shows.sum()),
        bias=biases[target],
        closures={one: bias.closure for one, bias in zip(bundle.classes, biases, strict=True)},
        sheets=sheets(found, target, plan.kinds, samples),
        distances=distances(found, samples.right),
        placed=placed(found, target, samples, randomised, seed),
        causal=causal,
        verdict=judge(plan.name, causal.grounds),
        collect=tuple(to_collect(found, sites, target, one_of=least(bundle.rule) is None)),
    )


Randomly = Callable[[Site, Sequence[Place], int, int], Floats]
"""Evidence of tiles of a scene by their places, of a class, with weights of a seed."""


def without_learning(bundle: Bundle) -> Randomly | None:
    """The same network with random weights; None where there is no torch."""
    if find_spec("torch") is None:
        return None
    from geogaze.audit.randomised import Randomised

    def evidence(site: Site, places: Sequence[Place], target: int, seed: int) -> Floats:
        network = Randomised(bundle, seed)
        return network.evidence((tile.picture for tile in site.tiles(places)), (target, None))

    return evidence
