"""Servers for the integration tests: given by the environment, or started for the session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from infra.services import S3, Postgres, Redis, S3Endpoint


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis database; GEOGAZE_TEST_REDIS_URL names another."""
    if given := os.environ.get("GEOGAZE_TEST_REDIS_URL"):
        yield given
        return
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database whose user may make others; or GEOGAZE_TEST_DATABASE_URL."""
    if given := os.environ.get("GEOGAZE_TEST_DATABASE_URL"):
        yield given
        return
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server.url


@pytest.fixture(scope="module")
def empty_database_url(database_url: str) -> Iterator[str]:
    """A database without tables, for one module, on the session's server."""
    url = make_url(database_url)
    name = f"test_{uuid4().hex}"
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """An S3 bucket and its credentials; or GEOGAZE_TEST_S3_URL."""
    if given := os.environ.get("GEOGAZE_TEST_S3_URL"):
        yield S3Endpoint.from_url(given)
        return
    with S3(tmp_path_factory.mktemp("s3")) as server:
        yield server.connection
