"""The audit of a class over scenes whose objects are known: measure, change, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from geogaze.audit.accounts import Causal, Sheet, caused, distances, sheets
from geogaze.audit.balance import Bias, Floats, bias_of
from geogaze.audit.causing import Effects, change
from geogaze.audit.collecting import Candidate, to_collect
from geogaze.audit.kinds import Truth, kinds_of
from geogaze.audit.measuring import Measured, measure
from geogaze.audit.placing import Placed, placed
from geogaze.audit.samples import Samples
from geogaze.audit.sites import Ground, Site, open_site
from geogaze.audit.verdict import Verdict, judge
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.engines import load_engine
from geogaze.models.bundles import Bundle
from geogaze.models.targets import Target, least, parse_target, spelled

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


def audit(
    bundle: Bundle,
    name: str,
    truths: Sequence[Truth],
    settings: Settings,
    *,
    tiles: int = 40,
    seed: int = 0,
    on_progress: Progress = lambda said: None,
) -> Audit:
    """Find out whether a model decides on its object or on what surrounds it.

    Args:
        bundle: the model.
        name: the class that the objects are.
        truths: scenes whose objects are known.
        settings: as for any job.
        tiles: of each scene whose object is taken out at most.
        seed: of all that is drawn.
        on_progress: told of each scene and what is done to it.

    Raises:
        UnknownClass: the model has no such class.
        InvalidRequest: a scene is no use, or none shows an object.
    """
    score = parse_target(name, bundle)
    target, minus = score
    if target is None or minus is not None:
        raise InvalidRequest(f"{name!r} is no class by itself: an audit takes one of the model's.")
    if bundle.labels_pixels:
        raise InvalidRequest(f"{bundle.name!r} labels pixels: an audit is of what labels tiles.")
    targets: list[Target] = [(k, None) for k in range(len(bundle.classes))]
    engine = load_engine(bundle, settings)
    found: list[Measured] = []
    grounds: list[Ground] = []
    effects: list[Effects | None] = []
    randomised: dict[int, Floats] = {}
    without = _without_learning(bundle)
    kinds, lying = kinds_of(truths, name)
    for truth, documents in zip(truths, lying, strict=True):
        with open_site(truth.scene, documents, bundle, settings) as site:
            on_progress(f"{site.name}: looking at {site.rows * site.cols:,} tiles")
            measured = measure(site, engine, target, targets)
            if measured is None:
                on_progress(f"{site.name}: no tile is known in full, so it is left out")
                continue
            if without and len(randomised) < _RANDOM_SCENES and measured.shows.any():
                on_progress(f"{site.name}: looking with random weights")
                randomised[len(found)] = without(site, measured, score, seed + len(found))
            on_progress(f"{site.name}: changing the world")
            effects.append(change(site, measured, engine, target, score, tiles, seed))
            found.append(measured)
            grounds.append(site.ground)
            gsd = site.gsd
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
    causal = caused(found, effects, seed)
    return Audit(
        model=bundle.name,
        name=spelled(score, bundle),
        gsd=gsd,
        sites=tuple(measured.site for measured in found),
        tiles=len(samples.area),
        showing=int(samples.shows.sum()),
        bias=biases[target],
        closures={one: bias.closure for one, bias in zip(bundle.classes, biases, strict=True)},
        sheets=sheets(found, target, kinds, samples),
        distances=distances(found, samples.right),
        placed=placed(found, target, samples, randomised, seed),
        causal=causal,
        verdict=judge(spelled(score, bundle), causal.grounds),
        collect=tuple(to_collect(found, grounds, target, one_of=least(bundle.rule) is None)),
    )


Randomly = Callable[[Site, Measured, Target, int], Floats]


def _without_learning(bundle: Bundle) -> Randomly | None:
    """Evidence of the same network with random weights of a seed; None where there is no torch."""
    if find_spec("torch") is None:
        return None
    from geogaze.audit.randomised import Randomised

    def evidence(site: Site, measured: Measured, score: Target, seed: int) -> Floats:
        network = Randomised(bundle, seed)
        places = [(int(row), int(col)) for row, col in measured.places]
        return network.evidence((tile.picture for tile in site.tiles(places)), score)

    return evidence
