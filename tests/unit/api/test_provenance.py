"""``/jobs/{job}/prov``: what was used, what ran, what was made, by the hashes of the files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from geogaze.config import Settings
from geogaze.models.item import read_bundle
from geogaze.version import VERSION
from tests.unit.api.testing import TestClient
from tests.unit.api.working import work_off


def names_in(document: dict[str, Any], relation: str, role: str) -> set[str]:
    return {one[role] for one in document[relation].values()}


def test_it_tells_scene_weights_runtime_and_products(
    http: TestClient, settings: Settings, scene: Path, bundle_folder: Path
) -> None:
    inputs = {"scene": str(scene), "model": "tiny", "classes": ["boat"], "overlap": 0}
    answer = http.post("/processes/explain/execution", json={"inputs": inputs})
    job = urlsplit(answer.headers["location"]).path
    planned = http.get(f"{job}/prov").json()
    assert planned["wasGeneratedBy"] == {}
    work_off(settings)
    document = http.get(f"{job}/prov").json()
    ((activity, about),) = document["activity"].items()
    assert activity == f"job:{job.rpartition('/')[2]}"
    assert about["prov:type"]["$"] == "geogaze:process/explain"
    assert about["geogaze:decoder"].startswith("gdal ")
    assert about["prov:startTime"] < about["prov:endTime"]
    properties = http.get(f"{job}/assets/item.json").json()["properties"]
    assert about["geogaze:path"] == properties["geogaze:paths"] != []
    (ran,) = properties["geogaze:runtimes"]
    assert about["geogaze:runtime"] == [f"{ran['runtime']}, {ran['precision']}"]
    entities = document["entity"]
    used = names_in(document, "used", "prov:entity")
    assert planned["entity"] == {name: entities[name] for name in used}
    assert names_in(document, "used", "prov:activity") == {activity}
    model = entities["geogaze:model/tiny"]
    assert f"sha256:{model['geogaze:sha256']}" == read_bundle(bundle_folder).weights
    (looked,) = [entities[name] for name in used if name.startswith("geogaze:scene/")]
    assert looked["prov:location"] == str(scene)
    assert looked["geogaze:version"]
    made = names_in(document, "wasGeneratedBy", "prov:entity")
    links = http.get(f"{job}/results").json()
    assert made | used == set(entities)
    assert {name.rpartition("/")[2] for name in made} == set(links)
    heat = next(entities[name] for name in made if name.endswith("/heat-boat"))
    data = http.get(links["heat-boat"]["href"]).content
    assert heat["geogaze:sha256"] == hashlib.sha256(data).hexdigest()
    (agent,) = document["agent"].values()
    assert agent["prov:label"] == f"geogaze {VERSION}"


def test_every_name_has_a_prefix_that_is_told(http: TestClient, settings: Settings) -> None:
    answer = http.post(
        "/processes/echo/execution",
        json={"inputs": {"string": "a"}},
        headers={"Prefer": "respond-async"},
    )
    work_off(settings)
    document = http.get(f"{urlsplit(answer.headers['location']).path}/prov").json()
    prefixes = document.pop("prefix")
    assert len(document["entity"]) == 2  # together, and the string alone
    assert document["used"] == {}
    for things in document.values():
        for name, one in things.items():
            assert name.partition(":")[0] in {*prefixes, "_"}
            assert {key.partition(":")[0] for key in one} <= set(prefixes)


def test_nobodys_job_has_none(http: TestClient) -> None:
    assert http.get(f"/jobs/{uuid4()}/prov").status_code == 404
