"""The plan of an audit: its scenes with all that lies on them, fixed when it is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from geogaze.grid.lattice import WorkingGrid
from geogaze.grid.rectangles import Division, Rectangle
from geogaze.processes.audit.process import OUTPUTS
from geogaze.processes.plan import ModelPlan, content_digest
from geogaze.scene.info import SceneInfo
from geogaze.scene.naming import shown_name

Document = dict[str, Any]


class SitePlan(BaseModel):
    """A scene and what lies on it.

    ``scale`` is scene pixels per working pixel, ``size`` the working pixels of a tile's side,
    ``areas`` the polygons (GeoJSON, in the scene's CRS) of each kind of ground but the rest,
    objects first; None where it has none.
    """

    model_config = ConfigDict(frozen=True)

    scene: SceneInfo
    scale: float
    size: int
    areas: dict[str, Document | None]

    @property
    def name(self) -> str:
        """How the scene is called."""
        return shown_name(self.scene.uri)

    @cached_property
    def working(self) -> WorkingGrid:
        """The working grid."""
        scene = self.scene
        return WorkingGrid.over(scene.width, scene.height, scene.affine, self.scale, self.scale)

    @property
    def gsd(self) -> float:
        """Side of a working pixel, metres."""
        return self.scene.pixel_metres * self.scale

    @property
    def rows(self) -> int:
        """Rows of whole tiles that do not overlap."""
        return self.working.height // self.size

    @property
    def cols(self) -> int:
        """Columns of them."""
        return self.working.width // self.size

    @property
    def tiles(self) -> int:
        """How many there are, those with unknown pixels included."""
        return self.rows * self.cols

    def places(self, numbers: range) -> list[tuple[int, int]]:
        """Row and column of some tiles, which are numbered row by row."""
        return [divmod(number, self.cols) for number in numbers]


class AuditPlan(ModelPlan):
    """The plan of a job of ``audit``.

    The tiles of all sites are numbered one after the other; a unit has ``strip`` of them.
    ``target`` is the position of the class that the objects are, ``kinds`` are what ground can be,
    objects first and the rest last; ``changed`` tiles of each site are changed at most.
    """

    process: ClassVar[str] = "audit"

    target: int
    kinds: tuple[str, ...]
    sites: tuple[SitePlan, ...]
    changed: int
    seed: int
    strip: int

    @property
    def name(self) -> str:
        """The class that the objects are."""
        return self.bundle.classes[self.target]

    @property
    def tiles(self) -> int:
        """Tiles of all sites."""
        return sum(site.tiles for site in self.sites)

    @cached_property
    def strips(self) -> Division:
        """How they are divided into units: runs of tiles, as rectangles of one row."""
        return Division(1, self.tiles, self.strip)

    def pieces(self, strip: Rectangle) -> Iterator[tuple[int, range]]:
        """Of a run of tiles, the sites' positions and numbers of each one's own tiles."""
        _, first, _, end = strip
        start = 0
        for at, site in enumerate(self.sites):
            own = range(max(first - start, 0), min(end - start, site.tiles))
            if own:
                yield at, own
            start += site.tiles

    @property
    @override
    def units(self) -> dict[str, int]:
        strips = self.strips.count
        return {"measure": strips, "randomise": strips, "change": len(self.sites), "judge": 1}

    @property
    @override
    def grids(self) -> dict[str, Division]:
        return {"measure": self.strips}

    @property
    @override
    def content(self) -> str:
        """Of scenes (with their versions), what lies on them, the model and the class: all that
        is measured. One with a scene whose version is not known is like no other.
        """
        if any(site.scene.version is None for site in self.sites):
            return uuid4().hex
        known = self.model_dump(mode="json", exclude={"changed", "seed", "local", "warnings"})
        known["bundle"] = self.bundle.model_dump(mode="json", exclude={"folder", "name"})
        return content_digest(known)

    @property
    @override
    def products(self) -> frozenset[str]:
        return frozenset(OUTPUTS)

    @override
    def logged(self) -> dict[str, str]:
        return {"model": self.bundle.name, "scenes": str(len(self.sites))}
