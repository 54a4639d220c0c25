"""The products of a job: one line each. Pure.

The description of the process, results, the STAC Item, the command line's table of files and the
phases go by this table. A product names what makes it by reference (see :mod:`geogaze.doors`), so
that it can be listed where nothing that draws is installed.
"""

from __future__ import annotations

from geogaze.products.product import GEOPACKAGE, GEOTIFF, QML, SLD, Product, Wanted, has_best_class

_MOST_TILES = 1_000_000  # in a GeoPackage: with more, no GIS is quick

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
        name="style-{class}",
        file="heat-{class}.qml",
        title="Style of the heat of {layer} for QGIS",
        offer="Style of a class's heat for QGIS, one product for each",
        hint="style of each layer: QGIS takes it by itself",
        media_type=QML,
        roles=("metadata",),
        phase="assemble",
        make="geogaze.products.make.styles:make_heat_qml",
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
        name="spread-style-{class}",
        file="stability-{class}.qml",
        title="Style of the stability of {layer} for QGIS",
        offer="Style of a class's stability for QGIS, one product for each",
        hint="its style: QGIS takes it by itself",
        media_type=QML,
        roles=("metadata",),
        phase="assemble",
        make="geogaze.products.make.styles:make_spread_qml",
        when=lambda job: job.stability is not None,
    ),
    Product(
        name="classes",
        file="classes.tif",
        title="Best class of each cell",
        offer="Best class of each cell, where there are several",
        hint="best class of each cell, in colours and with names",
        media_type=GEOTIFF,
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.classes:make",
        describe="geogaze.products.describing:classes",
        when=has_best_class,
    ),
    Product(
        name="classes-names",
        file="classes.tif.aux.xml",
        title="Names of the classes' values",
        offer="Names of the values of classes.tif, for GDAL",
        hint="names of its values, for whatever opens it by GDAL",
        media_type="application/xml",
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.styles:make_classes_names",
        when=has_best_class,
    ),
    Product(
        name="classes-style",
        file="classes.qml",
        title="Style of the classes for QGIS",
        offer="Style of classes.tif for QGIS",
        hint="its style: QGIS takes it by itself",
        media_type=QML,
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.styles:make_classes_qml",
        when=has_best_class,
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
        describe="geogaze.products.describing:tiles",
    ),
    Product(
        name="tiles-gpkg",
        file="tiles.gpkg",
        title="What the model says of each tile",
        offer="Predictions for each tile, GeoPackage, of up to a million tiles",
        hint="the same, for QGIS, in its classes' colours (GeoPackage)",
        media_type=GEOPACKAGE,
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.tiles_package:make",
        when=lambda job: job.tiles <= _MOST_TILES,
    ),
    Product(
        name="hotspots",
        file="hotspots.gpkg",
        title="Hotspots of heat",
        offer="Hotspots of heat as polygons, GeoPackage",
        hint="where heat is high, as polygons in m² (GeoPackage)",
        media_type=GEOPACKAGE,
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
        describe="geogaze.products.describing:hotspots",
    ),
    Product(
        name="summary",
        file="summary.csv",
        title="Layers in numbers",
        offer="Layers in numbers, CSV",
        hint="each layer in numbers, for a spreadsheet",
        media_type="text/csv",
        roles=("data",),
        phase="publish",
        make="geogaze.products.make.summary:make",
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
        name="report",
        file="report.html",
        title="Report to print or to send",
        offer="Report to print or to send, one HTML file",
        hint="a report to print or to send: pictures and figures in one file",
        media_type="text/html; charset=utf-8",
        roles=("overview",),
        phase="publish",
        make="geogaze.products.make.report:make",
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
        name="layers",
        file="job.qlr",
        title="All layers for QGIS, grouped and styled",
        offer="All layers for QGIS, grouped and styled",
        hint="all layers, grouped and styled: drag it into QGIS",
        media_type="application/x-qgis-layer-definition",
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.styles:make_layer_definition",
    ),
    Product(
        name="legend",
        file="legend.png",
        title="Legend",
        offer="Legend of the heat, and of classes.tif",
        hint="legend of the heat, and of the classes",
        media_type="image/png",
        roles=("graphic",),
        phase="publish",
        make="geogaze.products.make.legend:make",
    ),
    Product(
        name="sld",
        file="heat.sld",
        title="Style of heat layers for GeoServer",
        offer="Style of heat layers for GeoServer, SLD 1.0",
        hint="style of all heat layers for GeoServer (SLD)",
        media_type=SLD,
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.styles:make_heat_sld",
    ),
    Product(
        name="classes-sld",
        file="classes.sld",
        title="Style of the classes for GeoServer",
        offer="Style of classes.tif for GeoServer, SLD 1.0",
        hint="style of the classes for GeoServer (SLD)",
        media_type=SLD,
        roles=("metadata",),
        phase="publish",
        make="geogaze.products.make.styles:make_classes_sld",
        when=has_best_class,
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


def product_names(job: Wanted) -> frozenset[str]:
    """Names of all that a job makes, and of its kinds (``heat-{class}``)."""
    products = [product for product in PRODUCTS if product.when(job)]
    each = {product.named(layer) for product in products for layer in job.layers}
    return frozenset({product.name for product in products} | each)
