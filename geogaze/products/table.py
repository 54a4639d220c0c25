"""The products of a job: one line each. Pure.

The description of the process, results, the STAC Item, the command line's table of files and the
phases go by this table. A product names what makes it by reference (see :mod:`geogaze.doors`), so
that it can be listed where nothing that draws is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from geogaze.doors import resolve
from geogaze.files import file_stem
from geogaze.products.facts import TOP
from geogaze.products.styles import Overlays

CLASS = "{class}"
"""Stands in names and files of products that there are for each layer."""

LAYER_PHASES = frozenset({"assemble"})
"""Phases that have a unit for each layer."""

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
_ROLES = frozenset({"data", "visual", "overview", "thumbnail", "metadata"})  # known to STAC


class Wanted(Protocol):
    """What decides which products a job makes; plans and facts of a job both tell it."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The heat layers."""

    @property
    def overlays(self) -> Overlays:
        """Which layers are to be drawn over the scene."""

    @property
    def stability(self) -> int | None:
        """How many shifted grids of tiles heat is compared under; None where it is not."""


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


PRODUCTS = (
    Product(
        name="heat-{class}",
        file="heat-{class}.tif",
        title="{method} heat of {layer}",
        offer="Heat of a class, one product for each: heat-airplane, heat-runway, …",
        hint="heat of each layer, georeferenced: for measuring, in any GIS",
        media_type=GEOTIFF,
        roles=("data",),
        phase="assemble",
        make="geogaze.products.make.heat:make",
        describe="geogaze.products.describing:heat",
    ),
    Product(
        name="stability-{class}",
        file="stability-{class}.tif",
        title="Standard deviation of {layer} heat under shifted tiles",
        offer="How much heat depends on where tiles lie, one product for each class",
        hint="how much heat depends on where tiles lie",
        media_type=GEOTIFF,
        roles=("data",),
        phase="assemble",
        make="geogaze.products.make.stability:make",
        describe="geogaze.products.describing:stability",
        when=lambda job: job.stability is not None,
    ),
    Product(
        name="classes",
        file="classes.tif",
        title="Best class of each cell",
        offer="Best class of each cell, where classes is top",
        hint="best class of each cell, in colours",
        media_type=GEOTIFF,
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.classes:make",
        describe="geogaze.products.describing:classes",
        when=lambda job: job.layers == (TOP,),
    ),
    Product(
        name="overlay-{class}",
        file="overlay-{class}.tif",
        title="Heat of {layer} over the scene",
        offer="Heat over the scene, one product for each class that overlays asks for",
        hint="heat in colour over the scene: for eyes",
        media_type=GEOTIFF,
        roles=("visual",),
        phase="assemble",
        make="geogaze.products.make.overlay:make",
        when=lambda job: job.overlays != "none",
    ),
    Product(
        name="backdrop",
        file="backdrop.tif",
        title="The scene as it was looked at",
        offer="The scene as it was looked at, where overlays are drawn",
        hint="the scene as it was looked at, without heat",
        media_type=GEOTIFF,
        roles=("visual",),
        phase="publish",
        make="geogaze.products.make.backdrop:make",
        when=lambda job: job.overlays != "none",
    ),
    Product(
        name="tiles",
        file="tiles.parquet",
        title="What the model says of each tile",
        offer="Predictions for each tile, GeoParquet",
        hint="what the model says of each tile (GeoParquet)",
        media_type="application/vnd.apache.parquet",
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.tiles:make",
    ),
    Product(
        name="hotspots",
        file="hotspots.gpkg",
        title="Hotspots of heat",
        offer="Hotspots of heat as polygons, GeoPackage",
        hint="where heat is high, as polygons in m² (GeoPackage)",
        media_type="application/geopackage+sqlite3",
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.hotspot_files:make_geopackage",
    ),
    Product(
        name="hotspots-parquet",
        file="hotspots.parquet",
        title="Hotspots of heat",
        offer="Hotspots of heat as polygons, GeoParquet",
        hint="the same, for DuckDB and data frames (GeoParquet)",
        media_type="application/vnd.apache.parquet",
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.hotspot_files:make_geoparquet",
    ),
    Product(
        name="preview",
        file="preview.png",
        title="Contact sheet",
        offer="Contact sheet",
        hint="contact sheet: look at this first",
        media_type="image/png",
        roles=("thumbnail",),
        phase="publish",
        make="geogaze.products.make.preview:make",
    ),
    Product(
        name="page",
        file="index.html",
        title="Page that shows the layers",
        offer="Page that shows the layers in a browser, beside the other files",
        hint="page that shows the layers: geogaze view opens it",
        media_type="text/html; charset=utf-8",
        roles=("overview",),
        phase="publish",
        make="geogaze.products.make.page:make",
    ),
    Product(
        name="item",
        file="item.json",
        title="Description of all products",
        offer="STAC Item",
        hint="STAC Item that describes them",
        media_type="application/geo+json",
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.item:make",
        in_item=False,
    ),
)
"""All there are, in the order of results. Later ones of a phase may use what earlier ones made."""


def all_products() -> tuple[Product, ...]:
    """All products, in the order of results."""
    return PRODUCTS


def products_of(phase: str, job: Wanted) -> list[Product]:
    """The products that a phase of a job makes, in order."""
    return [product for product in PRODUCTS if product.phase == phase and product.when(job)]


def product_named(name: str) -> tuple[Product, str]:
    """The product of a name in a job's results, and its layer, "" where it is the whole job's.

    Raises:
        LookupError: no product is called so.
    """
    for product in sorted(PRODUCTS, key=lambda product: product.of_layer):  # exact names first
        if (layer := product.layer_of(name)) is not None:
            return product, layer
    raise LookupError(f"No product is called {name!r}: is its line gone from PRODUCTS?")


@dataclass(frozen=True)
class _Without:
    """A job of layers that draws overlays, or does not."""

    overlays: Overlays
    layers: tuple[str, ...] = ()
    stability: int | None = None


def needs_overlays(name: str) -> bool:
    """Whether a product, or a kind of them, is made only where overlays are drawn."""
    try:
        product, _ = product_named(name)
    except LookupError:
        return False  # it is refused later, with what there is
    return product.when(_Without(overlays="all")) and not product.when(_Without(overlays="none"))


def product_names(job: Wanted) -> frozenset[str]:
    """Names of all that a job makes, and of its kinds (``heat-{class}``)."""
    products = [product for product in PRODUCTS if product.when(job)]
    each = {product.named(layer) for product in products for layer in job.layers}
    return frozenset({product.name for product in products} | each)


def check_products(phases: Iterable[str]) -> None:
    """Import whatever makes and describes products, before there is any work.

    Args:
        phases: the names of those that make products.

    Raises:
        LookupError: a part of a product is missing, or no phase makes it.
    """
    known = set(phases)
    for product in PRODUCTS:
        if product.phase not in known:
            raise LookupError(
                f"Product {product.name!r} is made in the phase {product.phase!r}; there are "
                f"{', '.join(sorted(known))}."
            )
        for reference in filter(None, (product.make, product.describe)):
            resolve(reference)
