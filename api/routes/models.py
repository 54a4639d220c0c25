"""The models that jobs may name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.dependencies import WithAll
from api.problems import documented
from geogaze.models.registry import list_bundles

router = APIRouter()


@router.get("/models", tags=["service"], responses=documented())
def models(services: WithAll) -> dict[str, Any]:
    """Bundles that jobs may name, with their classes."""
    bundles = list_bundles(services.settings.model_folders)
    return {
        "models": [
            bundle.model_dump(mode="json", exclude={"folder"}, exclude_none=True)
            for bundle in bundles
        ]
    }
