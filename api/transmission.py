"""Results as they were asked for: in a document or raw, by value or by reference."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from api.dependencies import Services
from api.results import link_of, products
from api.sending import sent
from geogaze.processes.table import find_process
from geogaze.processes.wanted import Wanted

MOST_LINKS = 100
"""Headers of links in one answer; clients take only so much of a head."""
_TEXTS = ("text/", "application/xml", "application/x-qgis")


class _Product(NamedTuple):
    """A product, its link, and whether it is to come by value, and is small enough to."""

    made: dict[str, Any]
    link: dict[str, Any]
    by_value: bool
    fits: bool


def results(request: Request, services: Services, job_id: UUID, base: str) -> Response:
    """What came of a successful job, as whoever submitted it wished.

    Values that are too large together are links in a document.

    Raises:
        JobFailed, ResultsGone, ResultNotReady: nothing did.
    """
    wanted = Wanted.of(services.ledger.request(job_id))
    chosen = _chosen(services, wanted, job_id, base)
    if not wanted.raw:
        return JSONResponse(
            {
                name: value_of(services, one.made) if one.fits else one.link
                for name, one in chosen.items()
            }
        )
    if len(chosen) == 1:
        ((_, only),) = chosen.items()
        if only.by_value and (only.fits or request.method == "GET"):
            return sent(request, services, only.made, carried=only.fits)
    if not any(one.by_value for one in chosen.values()):
        links = (
            f'<{one.link["href"]}>; rel="item"; type="{one.link["type"]}"; title="{quote(name)}"'
            for name, one in chosen.items()
        )
        told = ", ".join(links)
        return Response(status_code=204, headers={"Link": told} if told else None)
    boundary = uuid4().hex
    body = b"".join(_parts(services, chosen, boundary))
    return Response(body, media_type=f"multipart/related; boundary={boundary}")


def _chosen(services: Services, wanted: Wanted, job_id: UUID, base: str) -> dict[str, _Product]:
    """The products that were asked for, by name."""
    made = products(services, job_id)
    usual = find_process(services.ledger.status(job_id).process).transmission[0]
    chosen, room = {}, services.settings.value_bytes
    for name, product in made.items():
        if not wanted.includes(name):
            continue
        by_value = wanted.mode(name, usual) == "value"
        fits = by_value and product["size"] <= room
        room -= product["size"] if fits else 0
        chosen[name] = _Product(product, link_of(product, job_id, base), by_value, fits)
    return chosen


def value_of(services: Services, made: dict[str, Any]) -> dict[str, Any]:
    """A small product as the standard's qualified value: JSON, text, or bytes in base64."""
    data, media_type = services.storage.get(made["key"]), made["type"]
    plain = media_type.partition(";")[0]
    if plain == "application/json" or plain.endswith("+json"):
        return {"value": json.loads(data), "mediaType": media_type}
    if plain.startswith(_TEXTS):
        return {"value": data.decode(), "mediaType": media_type}
    encoded = base64.b64encode(data).decode()
    return {"value": encoded, "encoding": "base64", "mediaType": media_type}


def _parts(services: Services, chosen: dict[str, _Product], boundary: str) -> Iterator[bytes]:
    """The parts of an answer with several products; one by reference has a place and no body."""
    for name, one in chosen.items():
        head = {"Content-Type": one.made["type"], "Content-ID": f"<{quote(name)}>"}
        data = b""
        if one.fits:
            data = services.storage.get(one.made["key"])
        else:
            head["Content-Location"] = one.link["href"]
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        yield f"--{boundary}\r\n{lines}\r\n".encode() + data + b"\r\n"
    yield f"--{boundary}--\r\n".encode()
