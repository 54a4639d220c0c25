"""What the STAC Item says of rasters, besides what it says of every product. Pure."""

from __future__ import annotations

from typing import Any

import pystac
from pystac.extensions.raster import (
    DataType,
    NoDataStrings,
    RasterBand,
    RasterExtension,
    Sampling,
    Statistics,
)
from pystac.extensions.render import Render

from geogaze.models.sureness import sureness
from geogaze.models.targets import least
from geogaze.products.columns import Values, described, hotspot_columns, tile_columns
from geogaze.products.facts import JobFacts
from geogaze.products.stac import About
from geogaze.products.styles import heat_style, legend, spread_style
from geogaze.products.tiles import Standing

_TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
_CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


def heat(asset: pystac.Asset, about: About) -> None:
    """A layer's band, how it compares with others, and how a viewer should draw it."""
    job, calibration = about.job, about.record.calibration[about.layer]
    standing = about.standing[about.layer]
    RasterExtension.ext(asset, add_if_missing=True).apply([_band(job, calibration["statistics"])])
    asset.extra_fields |= _standing(standing)
    if (seams := calibration.get("seams")) is not None:
        asset.extra_fields["geogaze:seam_score"] = seams
    about.renders[about.name] = Render.create(
        assets=[about.name],
        title=f"Heat of {about.layer}",
        **heat_style(job.colormap, job.normalize, about.record.peak).render,
    )


def stability(asset: pystac.Asset, about: About) -> None:
    """A layer's band, and how a viewer should draw it: what lies in 0..1 spreads by 0.5 at most."""
    job, statistics = about.job, about.record.calibration[about.layer]["spread"]
    RasterExtension.ext(asset, add_if_missing=True).apply([_band(job, statistics)])
    about.renders[about.name] = Render.create(
        assets=[about.name],
        title=f"Stability of {about.layer}",
        **spread_style(job.colormap, job.normalize, about.record.peak).render,
    )


def classes(asset: pystac.Asset, about: About) -> None:
    """The names and colours of the raster's values; the file has the colours, too."""
    about.item.stac_extensions.append(_CLASSIFICATION)
    asset.extra_fields["classification:classes"] = legend(about.job.model.classes)
    about.renders[about.name] = Render.create(
        assets=[about.name], title="Best class of each cell", resampling="nearest"
    )


def tiles(asset: pystac.Asset, about: About) -> None:
    """The columns of the table of tiles, and how many rows it has."""
    nowhere = any(standing.nowhere for standing in about.standing.values())
    columns = tile_columns(about.job.layers, sureness(about.job.model.rule), nowhere=nowhere)
    _table(asset, about, columns)
    asset.extra_fields["table:row_count"] = about.job.tiles


def hotspots(asset: pystac.Asset, about: About) -> None:
    """The columns of the table of hotspots."""
    _table(asset, about, hotspot_columns(sureness(about.job.model.rule)))


def _table(asset: pystac.Asset, about: About, columns: dict[str, Values]) -> None:
    if _TABLE not in about.item.stac_extensions:
        about.item.stac_extensions.append(_TABLE)
    asset.extra_fields |= described(columns)


def _standing(standing: Standing) -> dict[str, Any]:
    """What the model says of a layer; nothing of probabilities where it gives none, and of pixels
    where it labels those. In logits what tokens on no place give to scores, where there are any.
    """
    made_of: dict[str, Any] = {"geogaze:classes": standing.classes} if standing.classes else {}
    if standing.nowhere:
        made_of["geogaze:nowhere"] = standing.nowhere
    if standing.rule == "none":
        return made_of
    said = sureness(standing.rule).name
    return {
        f"geogaze:{'in' if least(standing.rule) else 'best_of'}_tiles": standing.won,
        f"geogaze:highest_{said}": standing.highest,
        **made_of,
        **({f"geogaze:classes_{said}": standing.surest} if standing.classes else {}),
    }


def _band(job: JobFacts, statistics: dict[str, float] | None) -> RasterBand:
    return RasterBand.create(
        nodata=NoDataStrings.NAN,
        sampling=Sampling.AREA,
        data_type=DataType.FLOAT32,
        spatial_resolution=job.grid.cell_metres,
        unit="logit" if job.normalize == "none" else "1",
        statistics=Statistics.create(**statistics) if statistics else None,
    )
