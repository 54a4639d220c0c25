"""The command ``zones``: how much heat lies in polygons of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geogaze.cli.hotspots import FolderArgument, ThresholdOption
from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.errors import InvalidRequest
from geogaze.files import in_place_of
from geogaze.outputs import check_file
from geogaze.products.thresholds import level_of, threshold_of


def zones(
    folder: FolderArgument,
    polygons: Annotated[
        Path, typer.Argument(help="Polygons: GeoJSON, GeoPackage, shapefile or FlatGeobuf.")
    ],
    target: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write: .csv, .json or .gpkg.")
    ],
    threshold: ThresholdOption = "0.5",
    classes: Annotated[
        str | None, typer.Option("--class", "--classes", help="Layers, with commas. Default: all.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Figures of each class's heat in polygons of your own, by area.

    A cell counts by the share of it that lies in a polygon. The polygons' own columns are kept.
    A GeoPackage holds the polygons themselves, with columns of each class.

    Example:
        geogaze zones heat districts.geojson --class airplane --out districts.csv
    """
    asked = threshold_of(threshold)
    check_file(target, overwrite=overwrite)
    from shapely import affinity

    from geogaze.products.make.areas import CellAreas
    from geogaze.products.make.finished import Finished
    from geogaze.products.make.zone_files import FORMATS, Zonal
    from geogaze.products.make.zones import figures_of
    from geogaze.scene.zones import read_zones

    write = FORMATS.get(target.suffix.lower())
    if write is None:
        raise InvalidRequest(f"{target}: zones are written as {', '.join(FORMATS)}.")

    results = Finished.of(folder)
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    layers = results.chosen(names)
    areas = CellAreas(results.crs_wkt, results.transform)
    inverse = (~results.transform).to_shapely()
    found = read_zones(polygons, results.crs_wkt)
    on_cells = [affinity.affine_transform(zone.area, inverse) for zone in found]
    figures = {}
    with err.status("looking at zones"):
        for name in layers:
            heat = results.heat(name)
            level = level_of(asked, heat.peak, (heat.window(box) for box in heat.boxes))
            figures[name] = [figures_of(area, heat, level, areas) for area in on_cells]
    with in_place_of(target) as draft:
        write(Zonal(found, figures, results.crs_wkt, results.code), draft)
    if as_json:
        print_json({"file": str(target), "zones": len(found), "classes": list(layers)})
        return
    out.print(f"{target}: {len(found):,} zones, {len(layers):,} classes.")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(zones)
