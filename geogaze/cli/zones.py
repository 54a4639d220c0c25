"""The command ``zones``: how much heat lies in polygons of one's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from geogaze.cli.hotspots import FolderArgument, ThresholdOption
from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.terminal import err, out, print_json
from geogaze.errors import InvalidRequest
from geogaze.files import in_place_of
from geogaze.outputs import check_file
from geogaze.products.thresholds import level_of, threshold_of

_COLUMNS = ("zone", "class", "area_m2", "seen_m2", "mean", "sum", "peak", "hot_m2", "hot_share")


def zones(
    folder: FolderArgument,
    polygons: Annotated[
        Path, typer.Argument(help="Polygons: GeoJSON, GeoPackage, shapefile or FlatGeobuf.")
    ],
    target: Annotated[Path, typer.Option("--out", "-o", help="The CSV or JSON file to write.")],
    threshold: ThresholdOption = "0.5",
    classes: Annotated[
        str | None, typer.Option("--class", "--classes", help="Layers, with commas. Default: all.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Figures of each class's heat in polygons of your own, by area.

    A cell counts by the share of it that lies in a polygon.

    Example:
        geogaze zones heat districts.geojson --class airplane --out districts.csv
    """
    asked = threshold_of(threshold)
    check_file(target, overwrite=overwrite)
    if target.suffix.lower() not in {".csv", ".json"}:
        raise InvalidRequest(f"{target}: zones are written as .csv or .json.")
    from shapely import affinity

    from geogaze.products.make.areas import CellAreas
    from geogaze.products.make.finished import Finished
    from geogaze.products.make.zones import figures_of
    from geogaze.scene.zones import read_zones

    results = Finished.of(folder)
    names = tuple(name.strip() for name in classes.split(",")) if classes else None
    layers = results.chosen(names)
    areas = CellAreas(results.crs_wkt, results.transform)
    inverse = (~results.transform).to_shapely()
    known = [
        zone._replace(area=affinity.affine_transform(zone.area, inverse))
        for zone in read_zones(polygons, results.crs_wkt)
    ]
    rows = []
    with err.status("looking at zones"):
        for name in layers:
            heat = results.heat(name)
            level = level_of(asked, heat.peak, (heat.window(box) for box in heat.boxes))
            for zone in known:
                f = figures_of(zone.area, heat, level, areas)
                figures = (f.area, f.seen, f.mean, f.total, f.peak, f.hot, f.share)
                rows.append((zone.name, name, *figures))
    with in_place_of(target) as draft:
        _write(draft, rows, as_csv=target.suffix.lower() == ".csv")
    if as_json:
        print_json({"file": str(target), "zones": len(known), "classes": list(layers)})
        return
    out.print(f"{target}: {len(known):,} zones, {len(layers):,} classes.")


def _write(target: Path, rows: Iterable[tuple[Any, ...]], *, as_csv: bool) -> None:
    if as_csv:
        with target.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(_COLUMNS)
            lines.writerows(rows)
        return
    told = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    target.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(zones)
