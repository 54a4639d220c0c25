"""What a product is: a kind of file that jobs leave behind. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from geogaze.files import file_stem
from geogaze.models.bundles import Probabilities
from geogaze.models.targets import Target
from geogaze.products.styles import Normalize, Overlays

CLASS = "{class}"
"""Stands in names and files of products that there are for each layer."""

LAYER_PHASES = frozenset({"assemble"})
"""Phases that have a unit for each layer."""

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
GEOPACKAGE = "application/geopackage+sqlite3"
QML = "application/x-qgis-layer-settings"
SLD = "application/vnd.ogc.sld+xml"
_ROLES = frozenset(
    {"data", "visual", "overview", "thumbnail", "graphic", "metadata"}
)  # known to STAC


class Wanted(Protocol):
    """What decides which products a job makes; plans and facts of a job both tell it."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The heat layers."""

    @property
    def targets(self) -> tuple[Target, ...] | None:
        """The scores whose evidence the layers are; None for ``top``."""

    @property
    def normalize(self) -> Normalize:
        """What heat is scaled by."""

    @property
    def probabilities(self) -> Probabilities:
        """How the model's scores become probabilities."""

    @property
    def overlays(self) -> Overlays:
        """Which layers are to be drawn over the scene."""

    @property
    def tiles(self) -> int:
        """Number of tiles."""

    @property
    def stability(self) -> int | None:
        """How many shifted grids of tiles heat is compared under; None where it is not."""


def has_best_class(job: Wanted) -> bool:
    """Whether cells have a best class: by their tiles, or by the evidence of several classes, as it
    is before each tile is scaled by itself.
    """
    if job.targets is None:
        return True
    own = [plus for plus, minus in job.targets if plus is not None and minus is None]
    return len(own) > 1 and job.normalize != "tile" and job.probabilities != "none"


def _always(job: Wanted) -> bool:
    return True


@dataclass(frozen=True)
class Product:
    """A kind of file that jobs leave behind.

    Attributes:
        name: in results and the Item; with ``{class}`` one for each layer.
        file: its file's name, likewise.
        title: in the Item; ``{layer}`` and ``{method}`` are filled in.
        offer: its title in the description of the process.
        hint: what it is good for, in a few words, beside the finished file.
        media_type: of the file.
        roles: of STAC.
        phase: the phase that makes it: once for each layer, or once.
        make: reference to ``make(inputs, target)``, which writes the file; ``inputs`` is
            :class:`~geogaze.products.make.inputs.LayerInputs` or ``JobInputs``.
        describe: reference to ``describe(asset, about)``, which adds to the Item what the product
            needs besides; None for most.
        when: whether a job makes it.
        in_item: whether the Item lists it; not the Item itself.
    """

    name: str
    file: str
    title: str
    offer: str
    hint: str
    media_type: str
    roles: tuple[str, ...]
    phase: str
    make: str
    describe: str | None = None
    when: Callable[[Wanted], bool] = _always
    in_item: bool = True

    def __post_init__(self) -> None:
        texts = ("name", "file", "title", "offer", "hint", "media_type", "phase", "make")
        if missing := [text for text in texts if not getattr(self, text)]:
            raise ValueError(f"Product {self.name!r} lacks its {', '.join(missing)}.")
        if not self.roles or not set(self.roles) <= _ROLES:
            raise ValueError(f"Product {self.name!r} has roles {self.roles}, not of {set(_ROLES)}.")
        if self.of_layer != (self.phase in LAYER_PHASES):
            raise ValueError(
                f"Product {self.name!r} is made in the phase {self.phase!r}: those of {CLASS} are "
                f"made in {', '.join(sorted(LAYER_PHASES))}, others are not."
            )
        if (CLASS in self.name) != (CLASS in self.file):
            raise ValueError(f"Product {self.name!r}: {CLASS} is in its name and file, or in none.")

    @property
    def of_layer(self) -> bool:
        """Whether there is one for each layer."""
        return CLASS in self.name

    def named(self, layer: str = "") -> str:
        """Its name, of a layer if it is one's."""
        return self.name.replace(CLASS, layer)

    def file_of(self, layer: str = "") -> str:
        """Its file's name, of a layer if it is one's."""
        return self.file.replace(CLASS, file_stem(layer) if layer else "")

    def layer_of(self, name: str) -> str | None:
        """The layer of a product called ``name``, "" for one of the whole job; None if not it."""
        if not self.of_layer:
            return "" if name == self.name else None
        before, _, after = self.name.partition(CLASS)
        fits = name.startswith(before) and name.endswith(after)
        return name[len(before) : len(name) - len(after)] if fits else None
