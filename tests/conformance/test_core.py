"""Core: what a client meets before it starts anything, and what it is told of a job."""

from __future__ import annotations

from uuid import uuid4

from shapely.geometry import shape

from tests.conformance.conftest import Service
from tests.conformance.requirements import PROCESSES, meets
from tests.schemas.processes import check

OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
CONF = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"


@meets("core", "landingpage-op", "landingpage-success")
def test_the_landing_page_leads_everywhere(service: Service) -> None:
    page = service.document("/")
    check(page, "landingPage")
    relations = {link["rel"] for link in page["links"]}
    assert relations & {"service-desc", "service-doc"}
    assert {f"{REL}/conformance", f"{REL}/processes", f"{REL}/job-list"} <= relations
    for link in page["links"]:
        assert service.get(link["href"]).status_code == 200, link


@meets("core", "api-definition-op", "api-definition-success")
def test_the_api_is_defined_as_its_links_say(service: Service) -> None:
    links = service.document("/")["links"]
    described = [link for link in links if link["rel"] in {"service-desc", "service-doc"}]
    assert len(described) > 1
    for link in described:
        answer = service.get(link["href"], headers={"Accept": link["type"]})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(link["type"])


@meets("core", "conformance-op", "conformance-success")
def test_the_classes_that_are_declared_are_those_tested_here(service: Service) -> None:
    document = service.document("/conformance")
    check(document, "confClasses")
    ours = [uri for uri in document["conformsTo"] if uri.startswith(f"{CONF}/")]
    assert sorted(ours) == sorted(f"{CONF}/{name}" for name in PROCESSES)


@meets("core", "http")
def test_requests_are_answered_as_http_says(service: Service) -> None:
    head = service.http.head("/conformance")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == "application/json"
    refused = service.http.put("/conformance")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert service.get("/nowhere").status_code == 404
    assert service.get("/processes?limit=-1").status_code == 400


@meets("core", "process-list-op", "process-list-success", "process-list-links")
def test_the_list_has_all_processes_and_links(service: Service) -> None:
    document = service.document("/processes")
    check(document, "processList")
    assert {summary["id"] for summary in document["processes"]} == {"explain", "audit", "echo"}
    assert {link["rel"] for link in document["links"]} >= {"self"}
    for summary in document["processes"]:
        (link,) = [link for link in summary["links"] if link["rel"] in {"self", "process"}]
        assert service.document(link["href"])["id"] == summary["id"]


@meets("core", "process-list-limit-def")
def test_the_lists_limit_is_defined(service: Service) -> None:
    check_limit(service, "/processes")


def check_limit(service: Service, path: str) -> None:
    operation = service.get("/openapi-3.0.json").json()["paths"][path]["get"]
    (limit,) = [one for one in operation["parameters"] if one["name"] == "limit"]
    assert limit["in"] == "query"
    assert not limit.get("required")
    schema = limit["schema"]
    assert schema["type"] == "integer"
    assert 1 == schema["minimum"] <= schema["default"] <= schema["maximum"]


@meets("core", "process-list-limit-response")
def test_no_more_processes_come_than_the_limit(service: Service) -> None:
    assert [len(service.document(f"/processes?limit={n}")["processes"]) for n in (1, 2, 99)] == [
        *(1, 2, 3),
    ]


@meets("core", "process-op", "process-success")
def test_every_process_is_described(service: Service) -> None:
    for name in ("explain", "audit", "echo"):
        described = service.document(f"/processes/{name}")
        check(described, "process")
        assert described["id"] == name
        assert described["version"]
        execute = [one for one in described["links"] if one["rel"] == f"{REL}/execute"]
        assert execute[0]["href"].endswith(f"/processes/{name}/execution")


@meets("core", "process-exception-no-such-process")
def test_no_such_process(service: Service) -> None:
    answer = service.get(f"/processes/{uuid4()}")
    assert answer.status_code == 404
    check(answer.json(), "exception")
    assert answer.json()["type"] == f"{OGC}/no-such-process"


@meets("core", "job-op", "job-success")
def test_a_jobs_status_is_told(service: Service, explained: str) -> None:
    status = service.document(explained)
    check(status, "statusInfo")
    assert (status["status"], status["progress"], status["processID"]) == (
        *("successful", 100, "explain"),
    )
    (results,) = [link["href"] for link in status["links"] if link["rel"] == f"{REL}/results"]
    assert service.get(results).status_code == 200


@meets("core", "job-exception-no-such-job")
def test_no_such_job(service: Service) -> None:
    check_no_job(service, f"/jobs/{uuid4()}")


@meets("core", "job-results-exception-no-such-job")
def test_results_of_no_such_job(service: Service) -> None:
    check_no_job(service, f"/jobs/{uuid4()}/results")


def check_no_job(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 404
    check(answer.json(), "exception")
    assert answer.json()["type"] == f"{OGC}/no-such-job"


@meets("core", "job-results-exception-results-not-ready")
def test_results_that_are_not_ready(resting: Service) -> None:
    answer = resting.get(f"{resting.job()}/results")
    assert answer.status_code == 404
    check(answer.json(), "exception")
    assert answer.json()["type"] == f"{OGC}/result-not-ready"


@meets("core", "job-results-failed")
def test_results_of_a_job_that_failed_are_its_error(resting: Service) -> None:
    scene = resting.scene.with_name("lost.tif")
    scene.write_bytes(resting.scene.read_bytes())
    job = resting.job(process="explain", inputs={"scene": str(scene), "model": "tiny"})
    scene.write_bytes(b"no scene any more")
    resting.working.set()
    assert resting.ended(job)["status"] == "failed"
    answer = resting.get(f"{job}/results")
    assert answer.status_code == 500
    check(answer.json(), "exception")
    assert "lost.tif" in answer.json()["detail"]


@meets("core", "job-results-op")
def test_results_are_at_the_jobs_address(service: Service, explained: str) -> None:
    results = service.document(f"{explained}/results")
    check(results, "results")
    assert results["heat-boat"]["href"]


def test_a_job_as_workers_leave_it_has_features(service: Service, explained: str) -> None:
    """Those of the files that it made, linked from its Item."""
    found = service.document(f"{explained}/features/collections")["collections"]
    assert [one["id"] for one in found] == ["tiles", "hotspots"]
    item = service.get(f"/collections/explain/items/{explained.rpartition('/')[2]}").json()
    assert [link["href"] for link in item["links"] if link["rel"] == "service"] == [
        f"http://testserver{explained}/features"
    ]
    for one in found:
        page = service.get(f"{explained}/features/collections/{one['id']}/items").json()
        assert page["numberMatched"] == len(page["features"]) > 0
        west, south, east, north = one["extent"]["spatial"]["bbox"][0]
        assert 0 < east - west < 0.01
        assert 0 < north - south < 0.01
        assert shape(page["features"][0]["geometry"]).intersects(shape(item["geometry"]))
    classes = {feature["properties"]["class"] for feature in page["features"]}
    assert classes == {"boat"}
    tiles = service.get(f"{explained}/features/collections/tiles/items").json()["features"]
    assert {"row", "col", "top_class", "p_boat"} <= set(tiles[0]["properties"])
