"""The layers of finished jobs that have tiles: which there are, how they are drawn, their cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Request, Response

from api.dependencies import JobId, Services, With, unchanged
from api.problems import documented
from api.results import products
from geogaze.errors import InvalidRequest, ObjectNotFound
from geogaze.gis.keeping import Kept
from geogaze.gis.lattice import Lattice, read_lattice
from geogaze.gis.tiles import Shown
from geogaze.products.colormaps import render_stops
from geogaze.storage import Storage
from geogaze.version import VERSION

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "A PNG."},
    304: {"description": "The same as before."},
    **documented(404, 410),
}
"""Responses of a route that :func:`picture` answers, for its OpenAPI description."""

_KEPT = "private, max-age=3600"  # products never change, but a job may be removed
_ITEMS = 256  # descriptions of jobs that are kept


@dataclass(frozen=True)
class Layer:
    """A layer of a job: its product, and how the job's Item says that it is drawn."""

    job_id: UUID
    name: str
    made: Mapping[str, Any]
    render: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """What tells its tiles from those of others, and of other releases."""
        drawn = json.dumps(self.render, sort_keys=True)
        named = f"{self.made['sha256']} {drawn} {VERSION}"
        return f'"{hashlib.sha256(named.encode()).hexdigest()[:32]}"'

    @property
    def title(self) -> str:
        """What people call it."""
        title: str = self.render.get("title", self.name)
        return title

    def address(self, base: str) -> str:
        """Where it lies below the API's address."""
        return f"{base}/jobs/{self.job_id}/layers/{quote(self.name, safe='')}"


class Layers:
    """Lattices of layers, kept for the tiles to come.

    Args:
        storage: where products lie.
        most: bytes of lattices that are kept.
        on_asked: told, each time that one is asked for, whether it was there.
    """

    def __init__(
        self,
        storage: Storage,
        most: int,
        on_asked: Callable[[bool], None] = lambda there: None,
    ) -> None:
        self._on_asked = on_asked
        self._storage, self._kept = storage, Kept[Lattice](most)
        self._renders = lru_cache(_ITEMS)(self._read_renders)

    def of(self, services: Services, job_id: UUID) -> list[Layer]:
        """All layers of a successful job that have tiles: those that its Item says how to colour.

        Raises:
            JobFailed, ResultsGone, ResultNotReady: it has no products.
        """
        made = products(services, job_id)
        if "item" not in made:
            return []
        renders = self._renders(made["item"]["key"])
        return [
            Layer(job_id, name, made[name], render)
            for name, render in renders.items()
            if name in made and "colormap_name" in render
        ]

    def one(self, services: Services, job_id: UUID, name: str) -> Layer:
        """A layer by its name in the results.

        Raises:
            ObjectNotFound: there is none, or none with tiles.
            JobFailed, ResultsGone, ResultNotReady: the job has no products.
        """
        there = self.of(services, job_id)
        for layer in there:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in there) or "none"
        raise ObjectNotFound(f"Job {job_id} has no layer {name[:80]!r} to draw; it has {names}.")

    def lattice(self, layer: Layer) -> Lattice:
        """The cells of a layer.

        Raises:
            InvalidRequest: there are too many, or they lie nowhere on the earth.
            ObjectNotFound: its file is gone.
        """
        read: list[None] = []

        def fetch() -> Lattice:
            read.append(None)
            return self._read(layer.made)

        try:
            return self._kept.get(layer.made["sha256"], fetch)
        finally:
            self._on_asked(not read)

    def shown(self, layer: Layer) -> Shown:
        """The cells of a layer and their colours. Raises what ``lattice`` does."""
        return Shown(self.lattice(layer), render_stops(layer.render))

    def _read(self, made: Mapping[str, Any]) -> Lattice:
        if made["size"] > self._kept.most:  # before it is fetched
            raise InvalidRequest(
                f"{made['file']} has {made['size']:,} bytes, and {self._kept.most:,} are kept for "
                "tiles (GEOGAZE_TILES_MB): read it by ranges instead."
            )
        path = self._storage.file(made["key"])
        if path is not None and not path.is_file():
            raise ObjectNotFound(f"{made['file']} is gone from storage; submit the job again.")
        return read_lattice(path or self._storage.get(made["key"]), self._kept.most)

    def _read_renders(self, key: str) -> dict[str, dict[str, Any]]:
        item = json.loads(self._storage.get(key))
        renders: dict[str, dict[str, Any]] = item["properties"].get("renders", {})
        return renders


def _layers(request: Request) -> Layers:
    layers: Layers = request.app.state.layers
    return layers


WithLayers = Annotated[Layers, Depends(_layers)]


def _layer(job_id: JobId, layer: str, services: With, layers: WithLayers) -> Layer:
    return layers.one(services, job_id, layer)


OneLayer = Annotated[Layer, Depends(_layer)]


def picture(request: Request, layer: Layer, draw: Callable[[], bytes]) -> Response:
    """A picture of a layer, drawn where the client has none that is the same."""
    headers = {"ETag": layer.tag, "Cache-Control": _KEPT}
    if unchanged(request, layer.tag):
        return Response(status_code=304, headers=headers)
    return Response(draw(), media_type="image/png", headers=headers)
