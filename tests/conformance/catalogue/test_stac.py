"""STAC API by those who know it: the validator of its makers, and their client."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pystac
import pytest
from fastapi import FastAPI
from pystac_client import Client
from stac_api_validator import validations

from tests.schemas.validation import validate
from tests.unit.api.catalogued import SQUARE, WHEN, catalogued

pytestmark = pytest.mark.filterwarnings("ignore:get_all_items is deprecated")  # the validator's
CLASSES = [
    *("core", "collections", "features", "item-search", "features#filter", "item-search#filter"),
]
OURS = {"eo:cloud_cover": "probability", "mission": "model"}
"""Queryables that the validator takes for granted, and such of ours."""
NO_QUERIES = validations.QueryConfig(*[None] * 13)


@pytest.fixture(scope="module")
def jobs(app: FastAPI) -> list[UUID]:
    """Seven, an hour apart."""
    where = (app.state.services.ledger, app.state.services.storage)
    return [
        catalogued(*where, when=WHEN + timedelta(hours=hour), sure=hour / 8) for hour in range(7)
    ]


def offline(url: str, body: Any, errors: Any, context: Any, *_: Any, **__: Any) -> None:
    """The same as the validator's own, which asks a server on the net for schemas."""
    for one in body.get("features", [body]):
        try:
            assert validate(one)
        except pystac.STACValidationError as error:
            errors += f"[{context}] {url}: {error}"


def of_ours(filters: Any) -> Any:
    """The validator's own filters, of queryables that are here, and BETWEEN as the standard has
    it: a list of three, where the validator's is of a draft.
    """
    match filters:
        case str():
            for theirs, ours in OURS.items():
                filters = filters.replace(theirs, ours)
            return filters
        case {"op": "between", "args": [tested, [low, high]]}:
            return {"op": "between", "args": [of_ours(tested), low, high]}
        case dict():
            return {name: of_ours(part) for name, part in filters.items()}
        case list():
            return [of_ours(part) for part in filters]
    return filters


@pytest.fixture(autouse=True)
def validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The validator, which asks nobody else and for nothing that is not here."""
    monkeypatch.setattr(validations, "stac_validate", offline)
    monkeypatch.setattr(validations, "stac_check", linted)
    for name, filters in vars(validations).items():
        if name.startswith("cql2_") and not callable(filters):
            monkeypatch.setattr(validations, name, of_ours(filters))


def linted(url: str, errors: Any, warnings: Any, context: Any, *_: Any, **__: Any) -> None:
    offline(url, httpx.get(url).json(), errors, context)


def verdict(address: str, classes: list[str]) -> tuple[list[str], list[str]]:
    square = {"type": "Polygon", "coordinates": SQUARE}
    warnings, errors = validations.validate_api(
        f"{address}/",
        classes,
        "explain",
        str(square).replace("'", '"'),
        None,
        None,
        None,
        True,
        NO_QUERIES,
        None,
        None,
    )
    return warnings.as_list(), errors.as_list()


def test_the_validator_finds_no_fault(address: str, jobs: list[UUID]) -> None:
    warnings, errors = verdict(address, CLASSES)
    assert errors == []
    assert [warning for warning in warnings if "ids does not override" not in warning] == []


def test_the_validator_would_find_one(
    address: str, jobs: list[UUID], app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geogaze.filtering.LONGEST", 20)
    _, errors = verdict(address, ["core", "item-search#filter"])
    assert any("probability NOT BETWEEN" in error for error in errors)


def test_pystac_client_searches_and_pages(address: str, jobs: list[UUID]) -> None:
    client = Client.open(f"{address}/")
    (collection,) = client.get_collections()
    assert collection.id == "explain"
    newest_first = [str(job) for job in reversed(jobs)]
    for method in ("GET", "POST"):
        search = client.search(method=method, limit=2, bbox=[2.0, 48.0, 2.1, 48.1])
        assert search.matched() == 7
        assert [item.id for item in search.items()] == newest_first
        late = client.search(method=method, datetime=["2026-11-30T10:00:00Z", None])
        assert [item.id for item in late.items()] == newest_first[:3]
    sure = client.search(filter="class = 'old port' AND probability >= 0.5")
    assert [item.id for item in sure.items()] == newest_first[:3]
    within = client.search(intersects={"type": "Point", "coordinates": [2.1, 48.1]}, max_items=2)
    (first, _) = within.items()
    assert first.get_collection().id == "explain"
    heat = httpx.get(first.assets["heat-old port"].href)
    assert (heat.status_code, heat.content) == (200, b"II*")
