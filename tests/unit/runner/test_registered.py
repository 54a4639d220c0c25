"""Jobs of registered models: each keeps the version that it was planned with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geogaze.config import Settings
from geogaze.errors import InvalidBundle, UnknownModel
from geogaze.models.registered import Registry
from geogaze.networks.training.recipe import Recipe
from geogaze.networks.training.starting import initial
from geogaze.processes.explain.plan import Plan
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.phases.resources import resolve_bundle
from tests.factories import make_bundle


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with other weights than ``tiny`` has."""
    return make_bundle(tmp_path_factory.mktemp("other") / "ours", seed=5)


@pytest.fixture
def settings(tmp_path: Path, scene: Path) -> Settings:
    return Settings(
        model_registry=str(tmp_path / "registry"),
        cache_folder=tmp_path / "cache",
        source_folders=(scene.parent,),
    )


def kept(scene: Path, model: str, settings: Settings) -> Plan:
    """A job's plan as workers read it."""
    planned = make_plan(ExplainRequest(scene=str(scene), model=model), settings)
    return Plan.read(json.loads(json.dumps(planned.kept())))


def test_a_moved_alias_changes_no_job(
    settings: Settings, scene: Path, bundle_folder: Path, other_bundle: Path
) -> None:
    registry = Registry.of(settings)
    first, _ = registry.add(bundle_folder, "aerial", alias="production")
    before = kept(scene, "aerial@production", settings)
    second, _ = registry.add(other_bundle, "aerial", alias="production")
    after = kept(scene, "aerial@production", settings)
    assert (before.bundle.name, after.bundle.name) == ("aerial@1", "aerial@2")
    assert before.bundle.weights != after.bundle.weights
    assert before.content != after.content
    for plan, version in ((before, first), (after, second)):
        assert plan.bundle.weights == f"sha256:{version.files['model.safetensors'].sha256}"
        bundle = resolve_bundle(plan, settings)
        assert (bundle.name, bundle.weights) == (version.model, plan.bundle.weights)
        assert bundle.folder
        assert (bundle.folder / "model.safetensors").is_file()


def test_a_worker_without_the_version_says_so(
    settings: Settings, scene: Path, bundle_folder: Path, other_bundle: Path, tmp_path: Path
) -> None:
    Registry.of(settings).add(bundle_folder, "aerial")
    plan = kept(scene, "aerial", settings)
    elsewhere = settings.model_copy(update={"model_registry": str(tmp_path / "another")})
    with pytest.raises(UnknownModel, match=r"'aerial@1'.*Registered are: none"):
        resolve_bundle(plan, elsewhere)
    Registry.of(elsewhere).add(other_bundle, "aerial")
    with pytest.raises(InvalidBundle, match="Give all machines the same bundles"):
        resolve_bundle(plan, elsewhere)


def test_a_training_starts_from_a_version(
    settings: Settings, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.networks.training.starting.get_settings", lambda: settings)
    Registry.of(settings).add(bundle_folder, "aerial", "1.2", "best.of.all")
    for init in ("aerial@1.2", "aerial@best.of.all", str(bundle_folder)):
        model = initial(Recipe(architecture="shufflenet_v2_x0_5", init=init), 3)
        first = next(iter(model.parameters())).detach()
        if init == "aerial@1.2":
            expected = first
        assert bool((first == expected).all()), init
    with pytest.raises(UnknownModel, match=r"no version or alias '1\.3'"):
        initial(Recipe(architecture="shufflenet_v2_x0_5", init="aerial@1.3"), 3)
