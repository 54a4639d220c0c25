"""The API as tests run it: on SQLite and a folder, in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from geogaze.config import Settings
from geogaze.ledger.queue import Queue

with warnings.catch_warnings():  # Starlette would rather have httpx2
    warnings.filterwarnings("ignore", message="Using `httpx` with")
    from fastapi.testclient import TestClient

__all__ = ["Serve", "TestClient", "bearer", "due", "make_app", "make_settings"]

Serve = Callable[..., TestClient]
"""Of the fixture ``serve``."""


def make_settings(folder: Path, bundle: Path) -> Settings:
    """Everything below a folder; scenes may be read from ``scenes`` in it."""
    scenes = folder / "scenes"
    scenes.mkdir()
    return Settings(
        database_url=f"sqlite:///{folder / 'ledger.db'}",
        storage=str(folder / "objects"),
        source_folders=(scenes,),
        model_folders=(bundle.parent,),
        device="cpu",
    )


def make_app(settings: Settings) -> FastAPI:
    """The API with a ledger ready for use."""
    app = create_app(settings)
    app.state.services.ledger.create_tables()
    return app


def due(engine: Engine) -> UUID | None:
    """A unit that may be claimed now, as the dispatcher would hand it out."""
    messages = Queue(engine).dispatch(1)
    return messages[0].unit if messages else None


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}
