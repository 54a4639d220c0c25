"""Hostile requests: documents without end, others' files and hosts, numbers that are none."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

_JOB = "/processes/explain/execution"
_FAR = {"type": "Polygon", "coordinates": [[[1e308, 0], [0, 1], [1, 1], [1e308, 0]]]}
_PARTED = {"type": "GeometryCollection", "geometries": []}
_GZIP = {"Content-Encoding": "gzip"}


@dataclass(frozen=True)
class Request:
    """A request by its name, and the statuses that are right for it. ``SCENE`` in it is the path of
    a scene that may be read.
    """

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (400,)


def _post(name: str, document: Any, *statuses: int, path: str = _JOB, **headers: str) -> Request:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    told = {"Content-Type": "application/json", "Prefer": "respond-async", **headers}
    return Request(name, "POST", path, body, told, statuses or (400,))


def _job(what: str, *statuses: int, **inputs: Any) -> Request:
    return _post(what, {"inputs": {"scene": "SCENE", "model": "tiny", **inputs}}, *statuses)


def _scene(name: str, uri: Any, *statuses: int) -> Request:
    return _job(f"a scene at {name}", *statuses, scene=uri)


def _area(name: str, geometry: Any, *statuses: int) -> Request:
    return _job(f"an area {name}", *statuses, aoi=geometry)


def _upload(what: str, **announced: Any) -> Request:
    whole = {"name": "a.tif", "size": 10, "sha256": "0" * 64, **announced}
    return _post(f"an upload {what}", whole, 400, 413, path="/uploads")


REQUESTS: tuple[Request, ...] = (
    _post("a body nested 100,000 deep", b'{"inputs":' * 100_000),
    _post("lists nested 100,000 deep", b'{"inputs":{"scene":' + b"[" * 100_000),
    _post("a number of 10⁶ digits", b'{"inputs":{"gsd":' + b"9" * 10**6 + b"}}"),
    _post("a body that is NaN", b"NaN"),
    _post("a body of half a character", b'{"inputs":{"scene":"\\ud800"}}'),
    _post("a body of null characters", b'{"inputs":{"scene":"\\u0000"}}'),
    _post("a body that is no UTF-8", b'{"inputs":{"scene":"\xff\xfe"}}'),
    _post("a body longer than may be", b'{"a":"' + b"x" * (5 * 2**20) + b'"}', 413),
    _post("a body that is a gzip bomb", gzip.compress(bytes(10**7)), **_GZIP),
    _post("a body of 10⁴ names", {"inputs": {f"x{n}": n for n in range(10**4)}}),
    _scene("the system's passwords", "/etc/passwd"),
    _scene("the way out of its folder", "SCENE/../../../../../../../../etc/passwd"),
    _scene("a place in memory", "/vsimem/x.tif"),
    _scene("a zip on loopback", "/vsizip//vsicurl/http://127.0.0.1:1/x.zip"),
    _scene("the cloud's own address", "https://169.254.169.254/latest/meta-data/x.tif"),
    _scene("the cloud's address in one number", "https://2852039166/x.tif"),
    _scene("loopback in eights", "https://0177.0.0.1/x.tif"),
    _scene("loopback as IPv6", "https://[::ffff:127.0.0.1]/x.tif"),
    _scene("another user's bucket", "s3://other/x.tif"),
    _scene("a file by its address", "file:///etc/passwd"),
    _scene("another machine's files", "file://evil.example/etc/passwd"),
    _scene("a database", "PG:host=127.0.0.1 dbname=geogaze"),
    _scene("a document in its name", "<VRTDataset rasterXSize='1'/>"),
    _scene("an address of 10⁵ characters", "https://a/" + "x" * 10**5),
    _scene("no address at all", []),
    _job("a model that climbs", 400, 404, model="../../../etc"),
    _job("a model that is code", 400, 404, model="__import__('os')"),
    _job("10⁵ classes", classes=["boat"] * 10**5),
    _job("a class that is SQL", classes=["boat'; DROP TABLE jobs; --"]),
    _job("an overlap of nearly 1", overlap=0.999999999999),
    _job("pixels of 10⁻³⁰⁰ metres", gsd=1e-300),
    _job("pixels of 10³⁰⁸ metres", gsd=1e308),
    _post("pixels of NaN metres", b'{"inputs":{"scene":"SCENE","model":"tiny","gsd":NaN}}'),
    _area("of 10³⁰⁸ degrees", _FAR),
    _area("of two points", {"type": "Polygon", "coordinates": [[[0, 0], [0, 0]]]}),
    _area("of no ring", {"type": "Polygon", "coordinates": []}),
    _area("of 6·10⁴ numbers", {"type": "MultiPoint", "coordinates": [[0, 0]] * 30_000}),
    _area("that is its own part", _PARTED | {"geometries": [_PARTED] * 1000}),
    _area("of text", {"type": "Polygon", "coordinates": "0 0"}),
    _post(
        "a key of 10⁴ characters",
        {"inputs": {"scene": "SCENE", "model": "tiny"}},
        **{"Idempotency-Key": "x" * 10**4},
    ),
    _post(
        "a subscriber on loopback",
        {
            "inputs": {"scene": "SCENE", "model": "tiny"},
            "subscriber": {"successUri": "http://127.0.0.1/"},
        },
    ),
    _upload("that climbs", name="../../a.tif"),
    _upload("of a hidden file", name=".ssh"),
    _upload("of its own record", name="upload.json"),
    _upload("of 2⁶³ bytes", size=2**63),
    _upload("of fewer than no bytes", size=-1),
    _upload("of a checksum that is none", sha256="../" * 20 + "abcd"),
    Request(
        "a part of an upload that is none",
        "PUT",
        "/uploads/../../etc/parts/1",
        b"x",
        statuses=(404, 405),
    ),
    Request(
        "a file of a job that climbs",
        "GET",
        f"/jobs/{UUID(int=0)}/assets/..%2f..%2fetc%2fpasswd",
        statuses=(404,),
    ),
    Request(
        "a page of the service that climbs",
        "GET",
        "/page/..%2f..%2f..%2fetc%2fpasswd",
        statuses=(404,),
    ),
    Request(
        "a search of 10⁴ conditions",
        "GET",
        "/search?filter=" + "NOT%20" * 10**4 + "a=1",
        statuses=(400, 414),
    ),
    Request(
        "a search by SQL",
        "GET",
        "/search?collections=a';DROP%20TABLE%20jobs",
        statuses=(200, 400, 404),
    ),
    Request("a page of 10¹⁰⁰ jobs", "GET", f"/jobs?limit={10**100}", statuses=(200, 400)),
    Request("a job of null", "GET", "/jobs/%00", statuses=(400, 404)),
    Request("a query of null", "GET", "/jobs?limit=%00"),
)
