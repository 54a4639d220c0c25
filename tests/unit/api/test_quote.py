"""POST /processes/explain/quote: what a job would take, and nothing of it is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rasterio
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping, shape
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.config import Settings
from geogaze.ledger.spending import Effort
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.ledger.usage import put_down
from tests.unit.api.test_execution import EXECUTION, check_problem
from tests.unit.api.test_jobs import end
from tests.unit.api.testing import TestClient

QUOTE = "/processes/explain/quote"


@pytest.fixture
def inputs(scene: Path) -> dict[str, Any]:
    return {"scene": str(scene), "model": "tiny", "classes": ["boat", "road"]}


def test_a_quote_says_what_an_execution_would_be(
    http: TestClient, ledger: Ledger, settings: Settings, inputs: dict[str, Any]
) -> None:
    answer = http.post(QUOTE, json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {
        *("tiles", "layers", "rows", "cols", "cellMetres"),
        *("productsBytes", "diskBytes", "memoryBytes", "warnings", "footprint"),
    }
    assert ledger.jobs(limit=9) == []
    assert not Path(settings.storage).exists() or not any(Path(settings.storage).rglob("*"))
    assert told["layers"] == 2
    job = http.post(EXECUTION, json={"inputs": inputs}).json()
    assert job["tiles"] == told["tiles"] > 0


def test_it_tells_where_the_whole_scene_lies_and_costs_what_the_area_does(
    http: TestClient, inputs: dict[str, Any], scene: Path
) -> None:
    whole = http.post(QUOTE, json={"inputs": inputs}).json()
    with rasterio.open(scene) as dataset:
        bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    footprint = shape(whole["footprint"])
    assert footprint.bounds == pytest.approx(bounds, abs=1e-6)
    west, south, _, north = footprint.bounds
    corner = mapping(box(west, south, footprint.centroid.x, north))
    part = http.post(QUOTE, json={"inputs": {**inputs, "aoi": corner}}).json()
    assert part["footprint"] == whole["footprint"]
    assert part["tiles"] < whole["tiles"]


def test_inputs_may_be_wrapped_and_products_chosen(
    http: TestClient, inputs: dict[str, Any]
) -> None:
    plain = http.post(QUOTE, json={"inputs": inputs}).json()
    wrapped = {name: {"value": value} for name, value in inputs.items()}
    assert http.post(QUOTE, json={"inputs": wrapped}).json() == plain
    heat = http.post(QUOTE, json={"inputs": inputs, "outputs": {"heat-boat": {}}}).json()
    assert heat["productsBytes"] == plain["productsBytes"] - 3 * 96 * 128, (
        "no pictures of the scene"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [({"scene": "none.tif"}, "none.tif"), ({"classes": ["boot"]}, "boat"), ({"gsd": 0}, "gsd")],
)
def test_what_an_execution_refuses_a_quote_does_in_the_same_words(
    http: TestClient, inputs: dict[str, Any], change: dict[str, Any], says: str
) -> None:
    body = {"inputs": {**inputs, **change}}
    refused = http.post(QUOTE, json=body)
    check_problem(refused, 400)
    assert says in refused.json()["detail"]
    assert refused.json() == http.post(EXECUTION, json=body).json()
    check_problem(http.post(QUOTE.replace("explain", "other"), json=body), 404)
    unknown = http.post(QUOTE, json={"inputs": inputs, "outputs": {"mask": {}}})
    assert "mask" in unknown.json()["detail"]


def succeeded(http: TestClient, ledger: Ledger, inputs: Any, seconds: float, who: Any) -> UUID:
    """A job of which all time went into its tiles, on two of four-core workers."""
    job = UUID(http.post(EXECUTION, json={"inputs": inputs}, headers=who).json()["jobID"])
    end(ledger, job, JobState.SUCCESSFUL)
    tiles = ledger.status(job).items
    with Session(ledger.database) as session, session.begin():
        started = {"started": 1000.0, "finished": 1000.0 + seconds, "content": str(job)}
        session.execute(update(Job).where(Job.id == job).values(**started))
        put_down(session, job, "explain", Effort("cpu", 2 * seconds, 4), tiles)
    return job


class TestTime:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        prices = {"price_core_hour": 0.05, "currency": "EUR"}
        return settings.model_copy(update={"tenant_header": "X-Tenant", **prices})

    def test_it_is_known_from_ones_own_jobs_like_it(
        self, http: TestClient, ledger: Ledger, inputs: dict[str, Any]
    ) -> None:
        ours, theirs = {"X-Tenant": "ours"}, {"X-Tenant": "theirs"}

        def told(who: dict[str, str], **changes: Any) -> Any:
            body = {"inputs": {**inputs, **changes}}
            return http.post(QUOTE, json=body, headers=who).json()

        assert not {"seconds", "bill"} & set(told(ours))
        job = succeeded(http, ledger, inputs, 30.0, theirs)
        assert "seconds" not in told(ours), "another's jobs are not looked at"
        same, fewer = told(theirs), told(theirs, overlap=0)
        assert same["seconds"] == pytest.approx(30)
        assert same["bill"] == {
            "workerSeconds": pytest.approx(60),
            "coreHours": pytest.approx(60 * 4 / 3600),
            "gpuHours": 0,
            "cost": pytest.approx(60 * 4 / 3600 * 0.05),
            "currency": "EUR",
        }
        share = fewer["tiles"] / same["tiles"]
        assert share == pytest.approx(0.5), "half the tiles"
        assert fewer["seconds"] == pytest.approx(30 * share)
        assert fewer["bill"]["cost"] == pytest.approx(same["bill"]["cost"] * share)
        for change in ({"method": "saliency"}, {"context": "scene"}, {"overlays": False}):
            assert "seconds" not in told(theirs, **change)
        status = http.get(f"/jobs/{job}", headers=theirs).json()
        assert status["bill"] == same["bill"], "what it took, in the form that it was quoted in"

    def test_who_asks_must_be_said(self, http: TestClient, inputs: dict[str, Any]) -> None:
        check_problem(http.post(QUOTE, json={"inputs": inputs}), 400)


def test_it_is_in_both_descriptions(http: TestClient) -> None:
    for file in ("openapi.json", "openapi-3.0.json"):
        document = http.get(f"/{file}").json()
        operation = document["paths"]["/processes/{process}/quote"]["post"]
        assert {"200", "400", "404", "413", "503"} <= set(operation["responses"])
        shown = document["components"]["schemas"]["Quote"]["properties"]
        assert {"tiles", "diskBytes", "seconds"} <= set(shown)
