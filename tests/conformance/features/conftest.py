"""A service with a job that has hotspots and tiles, and its service of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import structlog
from fastapi import FastAPI
from jsonschema import Draft4Validator

from tests.schemas.features import DEFINITIONS
from tests.unit.api.featured import featured
from tests.unit.api.testing import TestClient, make_app, make_settings

COLLECTIONS = ("hotspots", "tiles")


@dataclass(frozen=True)
class Features:
    """The service of a job's features, as a client meets it."""

    http: TestClient
    root: str

    def get(self, path: str, **query: Any) -> Any:
        """What lies at a path of the service, or at a whole address."""
        address = path if "://" in path else f"{self.root}{path}"
        return self.http.get(address, **({"params": query} if query else {}))

    def document(self, path: str, kind: str = "", **query: Any) -> Any:
        """A document, which is of a kind that the standard describes."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        if kind:
            Draft4Validator({"$ref": f"#/definitions/{kind}", "definitions": DEFINITIONS}).validate(
                document
            )
        return document

    def items(self, collection: str, **query: Any) -> list[dict[str, Any]]:
        """Features of a collection."""
        asked = {name.replace("_", "-"): value for name, value in query.items()}
        page = self.document(f"/collections/{collection}/items", "featureCollection", **asked)
        found: list[dict[str, Any]] = page["features"]
        return found


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("features")
    return make_app(make_settings(folder, folder / "no" / "bundle"))


@pytest.fixture(scope="package")
def job(app: FastAPI) -> UUID:
    return featured(app.state.services.ledger, app.state.services.storage)


@pytest.fixture(scope="package")
def features(app: FastAPI, job: UUID) -> Iterator[Features]:
    structlog.configure(processors=[_silence])
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Features(http, f"http://testserver/jobs/{job}/features")
    structlog.reset_defaults()


def _silence(*_: Any) -> Any:
    raise structlog.DropEvent
