"""Plans over small scenes, with the tiny bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.config import Settings
from geogaze.grid.canvas import Canvas
from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.products.facts import Backdrop, LayerFacts
from geogaze.products.make.inputs import Heat
from geogaze.products.make.overlay import draw_unit
from geogaze.products.make.overlay import write_overlay as assemble_overlay
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_reader
from geogaze.scene.view import SceneView

MakePlan = Callable[..., Plan]
OpenReader = Callable[[Plan], AbstractContextManager[SceneView]]


def boat(plan: Plan) -> LayerFacts:
    """The facts of one layer."""
    return facts_of(plan).layer("boat")


@pytest.fixture
def plan_of(bundle_folder: Path) -> MakePlan:
    def make(scene: Path, **request: Any) -> Plan:
        asked = ExplainRequest(scene=str(scene), model=str(bundle_folder), **request)
        return make_plan(asked, Settings(), local=True)

    return make


@pytest.fixture
def plan(plan_of: MakePlan, scene: Path) -> Plan:
    """9 × 7 cells of 32 pixels, the first starting at pixel -15.5."""
    return plan_of(scene)


@pytest.fixture
def reader_of() -> OpenReader:
    @contextmanager
    def opened(plan: Plan) -> Any:
        settings = Settings()
        with open_reader(plan.scene.uri, SourcePolicy.local(), settings) as reader:
            yield SceneView(reader, plan.scene, plan.working)

    return opened


def write_overlay(
    reader: SceneView,
    heat: NDArray[np.float32],
    layer: LayerFacts,
    backdrop: Backdrop,
    target: Path,
    pulse: Callable[[int], None] = lambda tiles: None,
) -> None:
    """Draw one layer's overlay as the phases draw and assemble do, unit by unit."""
    top, left, bottom, right = backdrop.box
    canvas = Canvas(bottom - top, right - left)

    def drawn(unit: int) -> Iterable[bytes]:
        box = canvas.units.rectangle(unit)
        return draw_unit(
            reader,
            backdrop,
            box,
            canvas.level,
            [(layer, Heat.of(heat, layer.normalize, 1.0))],
            pulse,
        )

    assemble_overlay(drawn, layer, backdrop, target)
