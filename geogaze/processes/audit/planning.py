"""From a request for an audit to its plan, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import shapely
from shapely.geometry import shape

from geogaze.config import Settings
from geogaze.errors import AoiOutsideScene, InvalidRequest
from geogaze.models.bundles import Bundle
from geogaze.models.registry import DEFAULT_MODEL, find_model
from geogaze.models.targets import parse_target, spelled
from geogaze.processes.audit.kinds import OBJECTS, Truth, kinds_of
from geogaze.processes.audit.plan import AuditPlan, Document, SitePlan
from geogaze.processes.audit.request import AuditRequest, SceneInputs
from geogaze.processes.explain.planning import make_plan as plan_of_explain
from geogaze.processes.explain.request import ExplainRequest
from geogaze.processes.limits import MOST_POINTS
from geogaze.scene.areas import read_area, read_features
from geogaze.scene.info import SceneInfo
from geogaze.scene.outlined import located
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.polygons import polygons_at

_MOST_TILES = 250_000  # what is known of each is held in memory to judge: two kilobytes

Read = Callable[[str, str | None], Document]
"""The polygons at an address, and whether a property of theirs is wanted."""


def make_plan(request: AuditRequest, settings: Settings, *, local: bool = False) -> AuditPlan:
    """Check a request against its scenes, what lies on them and its model, and decide everything.

    Args:
        request: what was asked; jobs have become their scenes.
        settings: the operator's.
        local: whether the requester is the operator, who may name any file and bundle folder.

    Raises:
        UnknownClass: the model has no such class.
        InvalidRequest: a scene, or what is to lie on it, is no use.
        GeogazeError: of the kind that says what else does not fit.
    """
    model = request.model or DEFAULT_MODEL
    bundle = find_model(model, settings, allow_path=local, whole=local)
    target = _target(request, bundle)
    scenes = [
        one if isinstance(one, SceneInputs) else SceneInputs(scene=one)
        for one in request.scenes or ()
    ]
    read = _reader(settings, local=local)
    kinds, lying = kinds_of(_truths(request, len(scenes), read), bundle.classes[target])
    sites: list[SitePlan] = []
    warnings: list[str] = []
    for scene, documents in zip(scenes, lying, strict=True):
        site, told = _site(scene, documents, model, bundle, settings, local=local)
        sites.append(site)
        warnings += told
    plan = AuditPlan(
        bundle=bundle,
        target=target,
        kinds=kinds,
        sites=tuple(sites),
        changed=request.tiles,
        seed=request.seed,
        strip=settings.chunk_tiles,
        local=local,
        warnings=tuple(dict.fromkeys(warnings)),
    )
    _check_size(plan)
    return plan


def _target(request: AuditRequest, bundle: Bundle) -> int:
    if request.weights and request.weights != bundle.weights:
        raise InvalidRequest(
            f"weights: model {bundle.name!r} has {bundle.weights} now, and not {request.weights}. "
            "Explain the scene anew, or say which model is audited (model)."
        )
    score = parse_target(request.name, bundle)
    plus, minus = score
    if plus is None or minus is not None:
        raise InvalidRequest(
            f"class: {spelled(score, bundle)!r} is no class by itself: an audit takes one of the "
            "model's."
        )
    if bundle.labels_pixels:
        raise InvalidRequest(
            f"model: {bundle.name!r} labels pixels: an audit is of what labels tiles."
        )
    return plus


def _reader(settings: Settings, *, local: bool) -> Read:
    """What reads polygons, each file once: one is often of all scenes."""
    policy = SourcePolicy.of(settings)

    def read(address: str, by: str | None) -> Document:
        if not local:
            return polygons_at(address, policy, settings, by)
        path = Path(address)
        if not path.is_file():
            raise InvalidRequest(f"There is no file {address}.")
        return read_features(path, by) if by else read_area(address)

    return cache(read)


def _truths(request: AuditRequest, scenes: int, read: Read) -> list[Truth]:
    given = request.truth if isinstance(request.truth, tuple) else (request.truth,) * scenes

    def polygons(one: str | Document, by: str | None = None) -> Document:
        return one if isinstance(one, dict) else read(one, by)

    covers = {kind: polygons(one) for kind, one in request.cover.items()}
    return [
        Truth(
            "truth" if isinstance(one, dict) else PurePath(one.partition("?")[0]).name,
            polygons(one, request.by),
            covers,
            request.by,
        )
        for one in given
    ]


def _site(
    scene: SceneInputs,
    documents: dict[str, Document | None],
    model: str,
    bundle: Bundle,
    settings: Settings,
    *,
    local: bool,
) -> tuple[SitePlan, tuple[str, ...]]:
    """A scene at the model's resolution, and what whoever asked should know of it."""
    asked: dict[str, Any] = {"classes": [bundle.classes[0]], "overlap": 0, "model": model}
    said = scene.model_dump(mode="json", exclude_none=True)
    request = ExplainRequest.parse({**asked, **said, "gsd": bundle.gsd})
    plan = plan_of_explain(request, settings, local=local, bundle=bundle)  # aliases may move
    site = SitePlan(
        scene=plan.scene,
        scale=plan.scale,
        size=bundle.input_size,
        areas={kind: _area(document, kind, plan.scene) for kind, document in documents.items()},
    )
    if not site.tiles:
        raise InvalidRequest(
            f"{plan.scene.uri} has {plan.working.height} × {plan.working.width} pixels at the "
            f"model's resolution; a tile has {bundle.input_size} × {bundle.input_size}."
        )
    return site, plan.warnings


def _area(document: Document | None, kind: str, scene: SceneInfo) -> Document | None:
    """The polygons of a document in the scene's CRS; None where there are none.

    Raises:
        InvalidRequest: it is no GeoJSON, or all objects lie elsewhere, which is another scene's
            file. Other ground need not be in every scene.
    """
    try:
        area = located(document, scene)
    except AoiOutsideScene as error:
        raise InvalidRequest(f"The polygons of {kind} do not fit {scene.uri}: {error}") from error
    if area is None and kind == OBJECTS and document and document.get("features") != []:
        raise InvalidRequest(
            f"The polygons of {kind} do not fit {scene.uri}: all of them lie outside of it."
        )
    return area


def _check_size(plan: AuditPlan) -> None:
    """Refuse more than a ledger can keep, or a worker judge.

    Raises:
        InvalidRequest: says of what.
    """
    if plan.tiles > _MOST_TILES:
        raise InvalidRequest(
            f"The scenes have {plan.tiles:,} tiles; an audit takes {_MOST_TILES:,} at most. Audit "
            "some of them, or parts."
        )
    areas = [shape(area) for site in plan.sites for area in site.areas.values() if area]
    points = int(shapely.get_num_coordinates(areas).sum())
    if not plan.local and points > MOST_POINTS:
        raise InvalidRequest(
            f"truth and cover have {points:,} points on the scenes; {MOST_POINTS:,} are taken in "
            "all: simplify them."
        )
