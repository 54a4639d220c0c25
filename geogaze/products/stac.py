"""The STAC Item of a job's products. Pure: it draws nothing and reads no file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pystac
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.render import Render, RenderExtension

from geogaze.doors import resolve
from geogaze.grid.tiling import Tiling
from geogaze.products.facts import JobFacts
from geogaze.products.records import JobRecord
from geogaze.products.table import product_named
from geogaze.products.tiles import Standing
from geogaze.version import VERSION

_GEOTIFF = "image/tiff; application=geotiff"
_PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"


@dataclass(frozen=True)
class About:
    """What a product's ``describe`` is told besides its asset.

    ``layer`` is "" for a product of the whole job. ``renders`` says how viewers are to draw:
    what is put in it comes into the Item.
    """

    job: JobFacts
    record: JobRecord
    standing: dict[str, Standing]
    item: pystac.Item
    name: str
    layer: str
    renders: dict[str, Render] = field(default_factory=dict)


def item_json(job: JobFacts, record: JobRecord, standing: dict[str, Standing]) -> str:
    """The Item as JSON text; hrefs are file names beside it.

    Args:
        job: its facts.
        record: what it has made.
        standing: layer → what the model says of it, tile by tile.
    """
    item = _item(job, record)
    renders: dict[str, Render] = {}
    for name, made in record.assets.items():
        product, layer = product_named(name)
        if not product.in_item:
            continue
        asset = pystac.Asset(
            href=f"./{made['file']}",
            media_type=made["type"],
            title=product.title.format(layer=layer, method=job.method.title),
            roles=list(product.roles),
        )
        item.add_asset(name, asset)
        # A multihash: 0x12 is sha2-256, 0x20 its length.
        FileExtension.ext(asset, add_if_missing=True).apply(
            checksum=f"1220{made['sha256']}", size=made["size"]
        )
        if product.describe:
            about = About(job, record, standing, item, name, layer, renders)
            resolve(product.describe)(asset, about)
    RenderExtension.ext(item, add_if_missing=True).apply(renders)
    for uri in job.source.files or (job.source.uri,):
        item.add_link(pystac.Link("derived_from", uri, _media_type(uri)))
    return json.dumps(item.to_dict(include_self_link=False), indent=2) + "\n"


def _item(job: JobFacts, record: JobRecord) -> pystac.Item:
    place, grid = job.place, job.grid
    item = pystac.Item(
        id=record.id,
        geometry=place.geometry,
        bbox=list(place.bbox) if place.bbox else None,
        datetime=datetime.fromtimestamp(record.created, UTC),
        properties=_properties(job, record),
        stac_extensions=[_PROCESSING],
    )
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=place.code,
        wkt2=place.wkt2,
        shape=[grid.rows, grid.cols],
        transform=list(grid.transform),
    )
    return item


def _properties(job: JobFacts, record: JobRecord) -> dict[str, Any]:
    model, method, source = job.model, job.method, job.source
    return {
        "title": f"Where {model.name} looks",
        "gsd": job.grid.cell_metres,
        "processing:software": {
            "geogaze": VERSION,
            **_decoder(source.decoder),
            **_runtimes(record),
        },
        "geogaze:model": model.name,
        "geogaze:weights": model.weights,
        "geogaze:layer": model.module,
        "geogaze:method": method.title,
        "geogaze:method_source": method.source,
        **({"geogaze:method_note": method.note} if method.note else {}),
        "geogaze:context": job.context,
        "geogaze:paths": record.routes,
        "geogaze:runtimes": record.ran,
        "geogaze:normalize": job.normalize,
        "geogaze:overlays": job.overlays,
        "geogaze:threshold": job.threshold,
        "geogaze:bands": list(source.bands),
        "geogaze:bands_source": source.bands_source,
        "geogaze:square": job.square,
        "geogaze:tiling": _tiling(job.tiling),
        **({"geogaze:warnings": list(job.warnings)} if job.warnings else {}),
        "geogaze:rescale": [list(pair) for pair in source.rescale],
        "geogaze:rescale_source": source.rescale_source,
        "geogaze:scales": {layer: made["scale"] for layer, made in record.calibration.items()},
        **({"geogaze:scale_from": job.scale_from} if job.scale_from else {}),
        **({"geogaze:stability": job.stability} if job.stability else {}),
    }


def _tiling(tiling: Tiling) -> dict[str, int]:
    """Where tiles lie on the layers: rows and columns of them, and in cells their side and the step
    from one to the next. The last of a row or column ends with the layer.
    """
    return {
        "rows": tiling.rows,
        "cols": tiling.cols,
        "cells": tiling.cells,
        "step": tiling.step,
    }


def _runtimes(record: JobRecord) -> dict[str, str]:
    """What ran the network's trunk, by name: its versions."""
    named = [way["runtime"].partition(" ")[::2] for way in record.ran]
    return {
        name: ", ".join(sorted({version for other, version in named if other == name}))
        for name, _ in sorted(named)
    }


def _media_type(uri: str) -> str | None:
    """Of a scene's file, by its name."""
    _, _, suffix = uri.partition("?")[0].lower().rpartition(".")
    return {"jp2": "image/jp2", "png": "image/png", "jpg": "image/jpeg"}.get(suffix, _GEOTIFF)


def _decoder(name: str | None) -> dict[str, str]:
    """What a scene's pixels were decoded by, as software and its version."""
    software, _, version = (name or "").partition(" ")
    return {software: version} if software else {}
