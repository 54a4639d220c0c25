"""The API as tests run it: on SQLite and a folder, in this process."""

from __future__ import annotations

import warnings
from pathlib import Path

from fastapi import FastAPI

from api.app import create_app
from geogaze.config import Settings

with warnings.catch_warnings():  # Starlette would rather have httpx2
    warnings.filterwarnings("ignore", message="Using `httpx` with")
    from fastapi.testclient import TestClient

__all__ = ["TestClient", "make_app", "make_settings"]


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
