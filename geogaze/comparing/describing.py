"""The STAC Item of a comparison. Pure but for the files' sizes and digests."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.render import Render, RenderExtension

from geogaze.comparing.finished import Finished
from geogaze.files import file_sha256
from geogaze.products.colormaps import DEFAULT, DIVERGING
from geogaze.products.product import GEOTIFF, QML
from geogaze.products.styles import Style
from geogaze.version import VERSION

STYLE = Style(DIVERGING, -1.0, 1.0)
"""Of differences: what vanished is blue, what appeared red, what stayed clear."""

SIDES = ("first", "second")
"""What the files of either job's own layers begin with."""

_SIDE_STYLE = Style(DEFAULT, 0.0, 1.0)

_KINDS = {
    "difference": ("Change of {layer}", GEOTIFF, "data"),
    "style": ("Style of the change of {layer} for QGIS", QML, "metadata"),
    "changes": ("Changes as polygons", "application/geopackage+sqlite3", "data"),
    "first": ("Heat of {layer} in the first, on the scale of both", GEOTIFF, "data"),
    "second": ("Heat of {layer} in the second, on the first's cells", GEOTIFF, "data"),
    "backdrop": ("The {layer} scene, without heat", GEOTIFF, "visual"),
    "page": ("Page that shows what has changed", "text/html", "overview"),
}
"""Title, media type and role of files, by the first word of their names."""

_PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"


def item_of(
    a: Finished, b: Finished, told: dict[str, Any], files: dict[str, Path]
) -> dict[str, Any]:
    """The Item, with hrefs beside it. Its place is that of the first job, its time the second's.

    Args:
        a: the first job.
        b: the second.
        told: what the comparison came to.
        files: by name.
    """
    moment = datetime.fromisoformat(str(b.item["properties"]["datetime"]))
    item = pystac.Item(
        id=f"{a.item['id']}-{b.item['id']}",
        geometry=a.item.get("geometry"),
        bbox=a.item.get("bbox"),
        datetime=moment,
        properties={
            "title": f"What {b.said('model')} sees otherwise than {a.said('model')}"
            if a.said("model") != b.said("model")
            else f"What has changed for {a.said('model')}",
            "gsd": a.grid.cell_metres,
            "processing:software": {"geogaze": VERSION},
            "geogaze:compared": [a.item["id"], b.item["id"]],
            "geogaze:names": [job.folder.resolve().name for job in (a, b)],
            **{f"geogaze:{name}": told[name] for name in ("lattice", "scale", "threshold")},
            "geogaze:classes": told["classes"],
            **({"geogaze:warnings": told["notes"]} if told["notes"] else {}),
        },
        stac_extensions=[_PROCESSING],
    )
    place = a.item["properties"]
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=place.get("proj:code"),
        wkt2=place.get("proj:wkt2"),
        shape=[a.grid.rows, a.grid.cols],
        transform=list(a.grid.transform),
    )
    renders = {}
    for name, path in files.items():
        kind, _, layer = name.partition("-")
        title, media_type, role = _KINDS[kind]
        asset = pystac.Asset(
            href=f"./{path.name}",
            media_type=media_type,
            title=title.format(layer=layer),
            roles=[role],
        )
        item.add_asset(name, asset)
        FileExtension.ext(asset, add_if_missing=True).apply(
            checksum=f"1220{file_sha256(path)}", size=path.stat().st_size
        )
        if kind == "difference":
            renders[name] = Render.create(assets=[name], title=f"Change of {layer}", **STYLE.render)
        elif kind in SIDES:
            title = f"Heat of {layer}, {kind}"
            renders[name] = Render.create(assets=[name], title=title, **_SIDE_STYLE.render)
    RenderExtension.ext(item, add_if_missing=True).apply(renders)
    described: dict[str, Any] = item.to_dict(include_self_link=False)
    return described
