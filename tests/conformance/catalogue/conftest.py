"""The service over real HTTP, with finished jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.unit.api.serving import served
from tests.unit.api.testing import make_app, make_settings


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> FastAPI:
    return make_app(make_settings(tmp_path_factory.mktemp("service"), bundle_folder))


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address
