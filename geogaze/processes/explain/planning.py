"""From a request to a plan, or to the reason why there is none."""

from __future__ import annotations

import math

from geogaze.config import Settings
from geogaze.models.bundles import Bundle
from geogaze.models.registry import find_model
from geogaze.processes.explain.checks import (
    check_finish,
    check_method,
    check_stability,
    check_tiles,
)
from geogaze.processes.explain.layers import layers_of
from geogaze.processes.explain.place import place_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.explain.resolution import check_upsampling, resolution_advice
from geogaze.processes.explain.scaled import scaled
from geogaze.scene.aoi import check_pixels, locate
from geogaze.scene.apart import facts_apart
from geogaze.scene.decoders import resampled
from geogaze.scene.info import SceneInfo, squares_advice
from geogaze.scene.naming import spread
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader


def make_plan(
    request: ExplainRequest,
    settings: Settings,
    *,
    local: bool = False,
    bundle: Bundle | None = None,
) -> Plan:
    """Check a request against its scene and model, and decide everything.

    Args:
        request: what was asked.
        settings: the operator's.
        local: whether the requester is the operator, who may name any file and bundle folder.
        bundle: the model, where it was found before.

    Raises:
        GeogazeError: of the kind that says what does not fit; nothing has been written by then.
    """
    if bundle is None:
        bundle = find_model(request.model, settings, allow_path=local, whole=local)
    layers = layers_of(request, bundle)
    scene = _described(request, bundle, settings, local=local)
    if bundle.rescale and not request.rescale:
        scene = scene.model_copy(update={"rescale_source": "the model's"})
    check_upsampling(bundle, request.gsd, scene.pixel_metres, force=request.force)
    advice = (
        None if request.square else squares_advice(scene),
        resolution_advice(bundle, request.gsd or scene.pixel_metres, scene.pixel_metres),
    )
    plan = Plan(
        scene=scene,
        bundle=bundle,
        layers=layers,
        overlap=request.overlap,
        normalize=request.normalize,
        stability=request.stability,
        overlays=request.drawn,
        colormap=request.colormap,
        threshold=request.threshold,
        on_error=request.on_error,
        scale=request.gsd / scene.pixel_metres if request.gsd else 1.0,
        square=request.square,
        warnings=(*scene.warnings, *filter(None, advice)),
        aoi=locate(request.aoi, scene) if request.aoi is not None else None,
        local=local,
        method=request.method,
        context=request.context,
        chunk_side=1,
    )
    check_method(plan)
    check_stability(plan)
    plan = scaled(plan, request.scale_from)
    if plan.aoi is not None:
        check_pixels(plan.aoi, plan.working)
    place = place_of(scene.crs_wkt, plan.working.transform, plan.bounds)
    plan = plan.model_copy(update={"chunk_side": _chunk_side(plan, settings), "place": place})
    if (plan.working.down, plan.working.across) != (1, 1):
        plan = plan.model_copy(update={"scene": resampled(scene)})
    check_tiles(plan, request.gsd)
    check_finish(plan, settings)
    return plan


def _described(
    request: ExplainRequest, bundle: Bundle, settings: Settings, *, local: bool
) -> SceneInfo:
    wanted = (bundle.bands, request.bands, request.rescale or bundle.rescale)
    if settings.plan_apart and not local:
        return facts_apart(request.scenes, request.reading, settings, *wanted)
    policy = SourcePolicy.local() if local else SourcePolicy.of(settings)
    names = spread(request.scenes) if local else request.scenes
    with open_reader(names, policy, settings, reading=request.reading) as reader:
        return reader.facts(*wanted)


def _chunk_side(plan: Plan, settings: Settings) -> int:
    """Tiles along the side of a chunk."""
    cells = plan.tiling.cells
    fitting = math.isqrt(settings.chunk_bytes // (len(plan.layers) * cells**2 * 4))
    if plan.context == "scene":
        # The wider the window, the less its halo costs.
        room = settings.context_pixels - plan.tiling.tile_size
        most = 1 + max(0, room) // (plan.tiling.step * plan.lattice.stride)
    else:
        most = math.isqrt(settings.chunk_tiles)
    return max(1, min(most, fitting))
