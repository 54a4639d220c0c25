"""What the manifests promise: pods without rights, settings that there are, nothing forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from geogaze.config import Settings

INFRA = Path(__file__).parents[2] / "infra"
BASE = INFRA / "kubernetes/base"
SETTINGS = {f"GEOGAZE_{name.upper()}" for name in Settings.model_fields}


def manifests() -> list[dict[str, Any]]:
    files = YAML(typ="safe").load((BASE / "kustomization.yaml").read_text())["resources"]
    return [one for file in files for one in YAML(typ="safe").load_all((BASE / file).read_text())]


PODS = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"]
    for one in manifests()
    if one["kind"] in {"Deployment", "Job"}
}


def test_no_manifest_is_forgotten() -> None:
    listed = YAML(typ="safe").load((BASE / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml"} == {path.name for path in BASE.glob("*.yaml")}
    assert set(PODS) == {"api", "dispatcher", "migrate", "worker"}


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_has_no_rights(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000, "that of infra/*.Dockerfile"
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_a_worker_has_time_to_leave() -> None:
    """Celery's soft shutdown, and what comes after."""
    from worker.app import _SOFT_SHUTDOWN_SECONDS

    assert PODS["worker"]["terminationGracePeriodSeconds"] >= _SOFT_SHUTDOWN_SECONDS + 20


def test_settings_are_those_that_there_are() -> None:
    lines = (BASE / "settings.env").read_text().splitlines()
    named = {line.split("=")[0] for line in lines}
    for pod in PODS.values():
        named |= {env["name"] for c in pod["containers"] for env in c.get("env", ())}
    for unit in (INFRA / "systemd").glob("*.service"):
        lines = unit.read_text().splitlines()
        named |= {line.split("=")[1] for line in lines if line.startswith("Environment=")}
    assert named <= SETTINGS
    assert len(named) > 6


def test_what_is_scaled_and_kept_up_is_there() -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for one in manifests():
        by_kind.setdefault(one["kind"], []).append(one)
    (scaled,) = by_kind["ScaledObject"]
    assert scaled["spec"]["scaleTargetRef"]["name"] in PODS
    for budget in by_kind["PodDisruptionBudget"]:
        (name,) = budget["spec"]["selector"]["matchLabels"].values()
        deployed = next(d for d in by_kind["Deployment"] if d["metadata"]["name"] == name)
        assert deployed["spec"]["replicas"] > budget["spec"]["minAvailable"]
