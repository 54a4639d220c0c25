"""Core: starting a job, by every kind of input, and its results in every way."""

from __future__ import annotations

import base64
import json
from email import message_from_bytes
from typing import Any

import pytest

from tests.conformance.conftest import INPUTS, Run, Service
from tests.conformance.requirements import meets
from tests.schemas.processes import check

VALUE = {"transmissionMode": "value"}
LINK = {"transmissionMode": "reference"}


@pytest.fixture
def results(service: Service) -> Run:
    """The answer with results of an echo, waited for or asked for once the job has ended."""

    def results(how: str | None, **body: Any) -> Any:
        if "sync" in str(how) and "async" not in str(how):
            return service.execute(wait=True, **body)
        job = service.job(**body)
        assert service.ended(job)["status"] == "successful"
        return service.get(f"{job}/results")

    return results


def echoed(service: Service, **inputs: Any) -> Any:
    answer = service.execute(wait=True, inputs=inputs)
    assert answer.status_code == 200, answer.text
    return answer.json()["echo"]["value"]


@meets("core", "job-creation-op", "job-creation-request")
def test_a_job_is_created_by_post(service: Service) -> None:
    links = service.document("/processes/echo")["links"]
    (href,) = [one["href"] for one in links if one["rel"].endswith("/execute")]
    answer = service.http.post(href, json={"inputs": INPUTS})
    assert answer.status_code == 200
    assert service.http.post(href, json={"inputs": []}).status_code == 400


@meets("core", "job-creation-success-async")
def test_a_job_that_is_not_waited_for(service: Service) -> None:
    answer = service.execute(wait=False)
    assert answer.status_code == 201
    check(answer.json(), "statusInfo")
    assert answer.headers["location"].endswith(f"/jobs/{answer.json()['jobID']}")


@meets("core", "job-creation-auto-execution-mode")
def test_who_prefers_not_to_wait_does_not(service: Service) -> None:
    offered = {"explain": {"async-execute", "dismiss"}}
    offered["echo"] = offered["explain"] | {"sync-execute"}
    for process, options in offered.items():
        described = service.document(f"/processes/{process}")
        assert set(described["jobControlOptions"]) == options
    scene = {"scene": str(service.scene), "model": "tiny"}
    for process, inputs in (("echo", INPUTS), ("explain", scene)):
        answer = service.execute(wait=False, process=process, inputs=inputs)
        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == "respond-async"


@meets("core", "job-creation-default-execution-mode")
def test_without_a_preference_a_process_that_lets_wait_is_waited_for(service: Service) -> None:
    assert service.execute(wait=True).status_code == 200
    scene = {"scene": str(service.scene), "model": "tiny"}
    assert service.execute(wait=True, process="explain", inputs=scene).status_code == 201


@meets("core", "job-creation-inputs", "job-creation-input-inline")
def test_values_stand_in_the_request(service: Service) -> None:
    assert echoed(service, **INPUTS) == INPUTS
    assert echoed(service, string={"value": "in words", "mediaType": "text/plain"}) == {
        "string": "in words"
    }


@meets("core", "job-creation-input-ref")
def test_values_are_referred_to(service: Service, explained: str) -> None:
    told = service.document(f"{explained}/inputs")  # of a job whose scene came as a link
    assert told["scene"] == service.scene.as_uri()


@meets("core", "job-creation-input-array")
def test_several_values_are_an_array(service: Service) -> None:
    for several in ([], [1, 2, 3], ["a", {"b": None}, [True]]):
        assert echoed(service, array=several) == {"array": several}


@meets("core", "job-creation-input-inline-object")
def test_an_object_is_qualified_or_not(service: Service) -> None:
    given = {"a": {"b": [1, 2]}}
    assert echoed(service, object={"value": given}) == {"object": given}
    assert echoed(service, object=given) == {"object": given}


@meets("core", "job-creation-input-inline-mixed")
def test_an_input_of_several_types_takes_each(service: Service, explained: str) -> None:
    for scene in (str(service.scene), {"href": str(service.scene)}, [str(service.scene)]):
        inputs = {"scene": scene, "model": "tiny", "classes": ["boat"]}
        answer = service.execute(wait=False, process="explain", inputs=inputs)
        assert answer.status_code == 201, answer.text


@meets("core", "job-creation-input-inline-binary")
def test_bytes_come_in_base64(service: Service) -> None:
    given = base64.b64encode(bytes(range(256))).decode()
    value = {"value": given, "encoding": "base64", "mediaType": "application/octet-stream"}
    assert echoed(service, string=value) == {"string": given}


@meets("core", "job-creation-input-inline-bbox")
def test_a_box_comes_with_its_crs(service: Service) -> None:
    box = {"bbox": [51.9, 7.0, 52.0, 7.1], "crs": "http://www.opengis.net/def/crs/EPSG/0/4326"}
    assert echoed(service, object=box) == {"object": box}


@meets("core", "job-creation-input-validation")
def test_values_that_are_not_as_described_are_refused(service: Service) -> None:
    for wrong in ({"number": "many"}, {"array": 3}, {"string": {"a": 1}}, {"stranger": 1}):
        answer = service.execute(wait=True, inputs=wrong)
        assert answer.status_code == 400, wrong
        check(answer.json(), "exception")
        assert next(iter(wrong)) in answer.json()["detail"]


@meets("core", "job-creation-default-outputs")
def test_without_outputs_all_come(results: Run) -> None:
    assert set(results("sync").json()) == {"echo", *INPUTS}


@meets("core", "job-creation-sync-document", "job-results-async-document")
def test_a_document(results: Run, service: Service, requirement: str) -> None:
    outputs = {"string": VALUE, "object": VALUE, "number": LINK}
    answer = results(requirement, outputs=outputs, response="document")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    check(answer.json(), "results")
    assert set(answer.json()) == set(outputs)
    assert answer.json()["string"]["value"] == INPUTS["string"]
    assert answer.json()["object"]["value"] == INPUTS["object"]
    assert service.get(answer.json()["number"]["href"]).json() == INPUTS["number"]


@meets("core", "job-creation-sync-raw-value-one", "job-results-async-raw-value-one")
def test_one_raw_value(results: Run, requirement: str) -> None:
    answer = results(requirement, outputs={"array": VALUE}, response="raw")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == INPUTS["array"]


@meets("core", "job-creation-sync-raw-value-multi", "job-results-async-raw-value-multi")
def test_several_raw_values(results: Run, service: Service, requirement: str) -> None:
    outputs = dict.fromkeys(INPUTS, VALUE)
    answer = results(requirement, outputs=outputs, response="raw")
    assert parts_of(answer) == {name: (value, None) for name, value in INPUTS.items()}


@meets("core", "job-creation-sync-raw-mixed-multi", "job-results-async-raw-mixed-multi")
def test_raw_values_and_links(results: Run, service: Service, requirement: str) -> None:
    outputs = {"string": VALUE, "number": LINK}
    parts = parts_of(results(requirement, outputs=outputs, response="raw"))
    assert parts["string"] == (INPUTS["string"], None)
    (value, place) = parts["number"]
    assert value is None
    assert service.get(place).json() == INPUTS["number"]


@meets("core", "job-creation-sync-raw-ref", "job-results-async-raw-ref")
def test_raw_links(results: Run, service: Service, requirement: str) -> None:
    answer = results(requirement, outputs={"string": LINK, "array": LINK}, response="raw")
    assert (answer.status_code, answer.content) == (204, b"")
    links = [link for link in answer.headers["link"].split(", ") if "monitor" not in link]
    hrefs = [link.partition(">")[0].lstrip("<") for link in links]
    assert [service.get(href).json() for href in hrefs] == [INPUTS["string"], INPUTS["array"]]


def parts_of(answer: Any) -> dict[str, tuple[Any, str | None]]:
    """Of a multipart answer: values, and where those lie that are elsewhere, by name."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/related")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = {}
    for part in message_from_bytes(head + answer.content).get_payload():
        body = part.get_payload(decode=True)
        name = part["Content-ID"].strip("<>")
        parts[name] = (json.loads(body) if body else None, part["Content-Location"])
    return parts
