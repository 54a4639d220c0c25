"""What a unit works with, what it hands in, and steps that several phases take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import InvalidBundle
from geogaze.files import file_sha256
from geogaze.grid.lattice import Box
from geogaze.ledger.records import Claim, Part
from geogaze.ledger.store import Ledger
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.registry import find_model
from geogaze.processes.audit.plan import AuditPlan
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.asking import needs_overlays
from geogaze.products.make.heat import calibrate
from geogaze.products.make.inputs import Drawn, Heat, JobInputs, LayerInputs
from geogaze.products.product import Product
from geogaze.products.table import products_of
from geogaze.runner.block import SPREAD, Blended
from geogaze.runner.phases.retired import JobOutdated
from geogaze.runner.pulse import Pulse
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_planned_scene
from geogaze.scene.view import SceneView
from geogaze.storage import Storage
from geogaze.timing import timed


@dataclass(frozen=True)
class Resources:
    """What a unit works with."""

    settings: Settings
    ledger: Ledger
    storage: Storage


@dataclass(frozen=True)
class Outcome:
    """What a unit hands to the ledger, and how many items it has done."""

    result: dict[str, Any]
    items: int = 0


def resolve_bundle(plan: Plan | AuditPlan, settings: Settings) -> Bundle:
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
        bundle = find_model(plan.bundle.name, settings)
    if bundle.weights != plan.bundle.weights:
        raise InvalidBundle(
            f"Model {bundle.name!r} has the weights {bundle.weights} on this worker, but the job "
            f"was accepted with {plan.bundle.weights}. Give all machines the same bundles."
        )
    # A bundle may have been calibrated anew since; one job has one scale of probabilities.
    return bundle.model_copy(update={"temperature": plan.bundle.temperature})


@contextmanager
def open_planned(resources: Resources, plan: Plan, *, lenient: bool) -> Iterator[SceneView]:
    """The scene that the job was planned for, or none, on the job's working grid.

    Args:
        resources: what the unit works with.
        plan: the job's.
        lenient: leave out blocks that cannot be read, rather than raise.
    """
    policy = SourcePolicy.local() if plan.local else SourcePolicy.of(resources.settings)
    scene, settings = plan.scene, resources.settings
    with open_planned_scene(scene, policy, settings) as reader:
        yield SceneView(reader, scene, plan.working, lenient=lenient)


def open_to_show(resources: Resources, plan: Plan) -> AbstractContextManager[SceneView]:
    """The scene behind a picture: blocks that are known to be damaged stay empty."""
    return open_planned(resources, plan, lenient=plan.on_error == "skip")


@timed("store")
def keep(resources: Resources, claim: Claim, path: Path, media_type: str) -> dict[str, Any]:
    """Move a product to storage under this attempt, and describe it."""
    key = claim.prefix + path.name
    described = {
        "key": key,
        "file": path.name,
        "type": media_type,
        "size": path.stat().st_size,
        "sha256": file_sha256(path),
    }
    resources.storage.take_file(key, path, media_type)
    return described


def make_product(
    resources: Resources,
    claim: Claim,
    product: Product,
    inputs: LayerInputs | JobInputs,
    layer: str = "",
) -> dict[str, Any]:
    """Make a product and store it under this attempt; what the ledger keeps of it."""
    target = inputs.scratch / product.file_of(layer)
    resolve(product.make)(inputs, target)
    return keep(resources, claim, target, product.media_type)


def make_layer_products(
    resources: Resources,
    claim: Claim,
    plan: Plan,
    heat: Heat,
    spread: Heat | None,
    scratch: Path,
    pulse: Pulse,
) -> dict[str, Any]:
    """Make what the claim's phase makes of its layer; what the ledger keeps of it."""
    job, name = facts_of(plan), plan.layers[claim.root]
    drawn = drawn_layers(resources, claim, plan)
    inputs = LayerInputs(
        layer=job.layer(name),
        heat=heat,
        backdrop=job.backdrop,
        open_scene=partial(open_to_show, resources, plan),
        drawn=open_drawn(resources, claim, pulse, _place_among(drawn, claim.root)),
        scratch=scratch,
        pulse=pulse,
        spread=spread,
    )
    assets = {
        product.named(name): make_product(resources, claim, product, inputs, name)
        for product in products_of(claim.phase, plan)
        if claim.root in drawn or not needs_overlays(product.name)
    }
    return {"products": assets}


def _place_among(drawn: list[int], layer: int) -> int | None:
    """Which of the layers that are drawn one is; None if it is none of them."""
    return drawn.index(layer) if layer in drawn else None


def open_drawn(resources: Resources, claim: Claim, pulse: Pulse, layer: int | None = None) -> Drawn:
    """Reads what the phase draw has left: of the scene, and of a layer by its place among those
    that are drawn.
    """
    parts: list[Part] = []

    def segments(unit: int) -> Iterator[bytes]:
        if not parts:
            parts.extend(resources.ledger.parts(claim.job_id, "draw"))
        pulse(0)
        part = parts[unit]
        ends = part.result["ends"]
        if not ends:  # where no layer was drawn, older releases did not draw the scene either
            raise JobOutdated
        for number in (0,) if layer is None else (0, layer + 1):
            yield resources.storage.get(f"{part.prefix}drawn", *ends[number : number + 2])

    return segments


def drawn_layers(resources: Resources, claim: Claim, plan: Plan) -> list[int]:
    """Positions of the layers that get an overlay, as the phase scale has found."""
    (scaled,) = (part.result for part in resources.ledger.parts(claim.job_id, "scale"))
    drawn: list[int] = scaled.get("drawn", list(range(len(plan.layers))))  # of an earlier release
    return drawn


def open_heat(resources: Resources, claim: Claim, plan: Plan) -> Callable[[int], Heat]:
    """The layers of a job whose blocks are blended and scaled, by their positions."""
    ledger, job = resources.ledger, claim.job_id
    (scaled,) = (part.result for part in ledger.parts(job, "scale"))
    blended = Blended(resources.storage, plan.blocks, ledger.parts(job, "blend"))
    peak = scaled.get("peak", 0.0)  # none of an earlier release
    boxes = tuple(plan.blocks.rectangle(number) for number in range(plan.blocks.count))

    def layer(number: int) -> Heat:
        scale = scaled["scales"][number]

        def evidence(box: Box) -> NDArray[np.float32]:
            return blended.window(number, box)

        def read(box: Box) -> NDArray[np.float32]:
            return calibrate(evidence(box), plan.normalize, scale)

        return Heat(boxes, plan.normalize, scale, peak, read, evidence)

    return layer


def open_spread(resources: Resources, claim: Claim, plan: Plan, heat: Heat) -> Heat:
    """The standard deviation of the claim's layer under shifted grids, in the units of its heat."""
    parts = resources.ledger.parts(claim.job_id, "blend")
    blended = Blended(resources.storage, plan.blocks, parts, SPREAD)

    def read(box: Box) -> NDArray[np.float32]:
        spread = blended.window(claim.root, box)
        return spread / np.float32(heat.scale) if heat.scale else spread

    return Heat(heat.boxes, heat.normalize, heat.scale, heat.peak, read, read)
