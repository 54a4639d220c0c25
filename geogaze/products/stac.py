"""The STAC Item of a job's products."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import (
    DataType,
    NoDataStrings,
    RasterBand,
    RasterExtension,
    Sampling,
    Statistics,
)
from pystac.extensions.render import Render, RenderExtension

from geogaze.processes.explain.plan import Plan
from geogaze.products.make.classes import legend
from geogaze.products.make.tiles import Standing
from geogaze.version import VERSION

_ROLES = {
    "heat": ["data"],
    "classes": ["data"],
    "overlay": ["visual"],
    "preview": ["thumbnail"],
    "tiles": ["data"],
}
_CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
_TITLES = {
    "heat": "{method} heat of {layer}",
    "classes": "Best class of each cell",
    "overlay": "Heat of {layer} over the scene",
    "preview": "Contact sheet",
    "tiles": "What the model says of each tile",
}


def item_json(
    plan: Plan,
    job_id: str,
    created: float,
    assets: dict[str, dict[str, Any]],
    calibration: dict[str, dict[str, Any]],
    paths: list[str],
    standing: dict[str, Standing],
) -> str:
    """The Item as JSON text; hrefs are file names beside it.

    Args:
        plan: the job's plan.
        job_id: becomes the Item's id.
        created: when the job was accepted, seconds since 1970.
        assets: name → file, type, size, sha256.
        calibration: layer → scale and statistics.
        paths: how gradients were had, see :mod:`geogaze.evidence.routes`.
        standing: layer → what the model says of it, tile by tile.
    """
    place = plan.place
    item = pystac.Item(
        id=job_id,
        geometry=place.geometry,
        bbox=list(place.bbox) if place.bbox else None,
        datetime=datetime.fromtimestamp(created, UTC),
        properties={
            "title": f"Where {plan.bundle.name} looks",
            "gsd": plan.cell_metres,
            "processing:software": {"geogaze": VERSION},
            "geogaze:model": plan.bundle.name,
            "geogaze:weights": plan.bundle.weights,
            "geogaze:layer": plan.bundle.module,
            "geogaze:method": plan.explained_by.title,
            "geogaze:method_source": plan.explained_by.source,
            **({"geogaze:method_note": note} if (note := plan.explained_by.note) else {}),
            "geogaze:context": plan.context,
            "geogaze:paths": paths,
            "geogaze:normalize": plan.normalize,
            "geogaze:bands": list(plan.scene.bands),
            "geogaze:bands_source": plan.scene.bands_source,
            "geogaze:square": plan.square,
            **({"geogaze:warnings": list(plan.warnings)} if plan.warnings else {}),
            "geogaze:rescale": [list(pair) for pair in plan.scene.rescale],
            "geogaze:rescale_source": plan.scene.rescale_source,
            "geogaze:scales": {layer: made["scale"] for layer, made in calibration.items()},
        },
        stac_extensions=["https://stac-extensions.github.io/processing/v1.2.0/schema.json"],
    )
    transform = list(plan.heat_transform)
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=place.code,
        wkt2=place.wkt2,
        shape=[plan.lattice.rows, plan.lattice.cols],
        transform=transform,
    )
    for name, made in assets.items():
        kind, _, layer = name.partition("-")
        asset = pystac.Asset(
            href=f"./{made['file']}",
            media_type=made["type"],
            title=_TITLES[kind].format(layer=layer, method=plan.explained_by.title),
            roles=_ROLES[kind],
        )
        item.add_asset(name, asset)
        # A multihash: 0x12 is sha2-256, 0x20 its length.
        FileExtension.ext(asset, add_if_missing=True).apply(
            checksum=f"1220{made['sha256']}", size=made["size"]
        )
        if kind == "heat":
            _describe_band(plan, asset, calibration[layer])
            asset.extra_fields |= {
                "geogaze:best_of_tiles": standing[layer].won,
                "geogaze:highest_probability": standing[layer].highest,
                **({"geogaze:classes": made_of} if (made_of := standing[layer].classes) else {}),
            }
        if kind == "classes":
            item.stac_extensions.append(_CLASSIFICATION)
            asset.extra_fields["classification:classes"] = legend(plan)
    _add_renders(plan, item, calibration)
    scene_type = "image/tiff; application=geotiff"
    item.add_link(pystac.Link("derived_from", plan.scene.uri, scene_type))
    return json.dumps(item.to_dict(include_self_link=False), indent=2) + "\n"


def _describe_band(plan: Plan, asset: pystac.Asset, made: dict[str, Any]) -> None:
    statistics = made["statistics"]
    band = RasterBand.create(
        nodata=NoDataStrings.NAN,
        sampling=Sampling.AREA,
        data_type=DataType.FLOAT32,
        spatial_resolution=plan.cell_metres,
        unit="logit" if plan.normalize == "none" else "1",
        statistics=Statistics.create(**statistics) if statistics else None,
    )
    RasterExtension.ext(asset, add_if_missing=True).apply([band])


def _add_renders(plan: Plan, item: pystac.Item, calibration: dict[str, dict[str, Any]]) -> None:
    """How a viewer should draw each layer: one fixed stretch, so that layers compare."""
    renders = {}
    for layer, made in calibration.items():
        top = 1.0
        if plan.normalize == "none":
            top = (made["statistics"] or {}).get("maximum", 1.0)
        renders[f"heat-{layer}"] = Render.create(
            assets=[f"heat-{layer}"],
            title=f"Heat of {layer}",
            rescale=[[0.0, top if top > 0 and math.isfinite(top) else 1.0]],
            nodata="nan",
            colormap_name=plan.colormap,
            resampling="bilinear",
        )
    RenderExtension.ext(item, add_if_missing=True).apply(renders)
