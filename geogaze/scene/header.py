"""What a GeoTIFF says of itself, and whether it can be explained at all."""

from __future__ import annotations

from collections.abc import Sequence

from rasterio.io import DatasetReader

from geogaze.errors import SceneUnusable
from geogaze.scene.asking import Asking
from geogaze.scene.bands import choose_bands
from geogaze.scene.ground import ground_of
from geogaze.scene.info import SceneInfo
from geogaze.scene.ranges import Ranges, given_ranges, percentile_ranges
from geogaze.scene.sample import refuse_empty, sample_values
from geogaze.scene.validity import labels_of


def describe(
    dataset: DatasetReader,
    asking: Asking,
    band_names: Sequence[str],
    bands: Sequence[int] | None,
    rescale: Sequence[tuple[float, float]] | None,
) -> SceneInfo:
    """Check a GeoTIFF and say what must be known to plan a job on it, but for its version.

    Pixels are read where percentiles of them are wanted or any may be missing: a bounded sample.

    Args:
        dataset: the open scene.
        asking: its reads.
        band_names: the model's bands, in order.
        bands: the scene's bands (from 1) for them, or None to choose.
        rescale: one (low, high) for all bands or one for each, or None to choose.

    Raises:
        SceneUnusable: no CRS, ground control points only, complex, empty, or wrong bands.
        SceneUnreadable: its percentiles are wanted and nothing of it can be read.
        SceneUnreachable: the same of a remote scene.
    """
    uri = asking.uri
    if not dataset.crs or dataset.transform.is_identity:
        gcps, _ = dataset.gcps
        what = (
            "only ground control points" if gcps else "no CRS" if not dataset.crs else "no affine"
        )
        placed = not dataset.transform.is_identity
        told = "; if you know its CRS, say it: --crs EPSG:CODE" if placed else ""
        raise SceneUnusable(
            f"{uri!r} has {what}, so its heat would lie nowhere on the map. "
            "Georeference it first (gdalwarp, or 'gdal_translate -a_srs … -a_ullr …')"
            f"{told}."
        )
    if dataset.transform.is_degenerate:
        raise SceneUnusable(f"{uri!r} has a degenerate affine {tuple(dataset.transform)[:6]}.")
    chosen, bands_source = choose_bands(uri, labels_of(dataset), band_names, bands)
    dtype = dataset.dtypes[chosen[0] - 1]
    if dtype.startswith("complex"):
        raise SceneUnusable(f"{uri!r} holds complex values; save magnitude or intensity first.")
    wkt, shape = dataset.crs.to_wkt(), (dataset.height, dataset.width)
    ground = ground_of(dataset.name, wkt, dataset.transform, shape)
    warnings: list[str] = []
    if rescale or dtype == "uint8":
        ranges, source = (
            (given_ranges(rescale, len(chosen)), "given")
            if rescale
            else full_ranges(bits_of(dataset, chosen))
        )
        refuse_empty(dataset, asking, chosen)
    else:
        source = "percentiles 2 and 98 of the scene"
        samples = sample_values(dataset, asking, chosen)
        ranges, warnings = percentile_ranges(uri, chosen, samples)
    return SceneInfo(
        uri=uri,
        width=dataset.width,
        height=dataset.height,
        crs_wkt=wkt,
        epsg=dataset.crs.to_epsg(),
        transform=tuple(dataset.transform)[:6],
        dtype=dtype,
        bands=chosen,
        bands_source=bands_source,
        **ground._asdict(),
        rescale=ranges,
        rescale_source=source,
        warnings=tuple(warnings),
    )


def bits_of(dataset: DatasetReader, bands: Sequence[int]) -> list[int]:
    """How many bits a file says that its bytes have, in each of some bands (from 1)."""
    tags = (dataset.tags(band, ns="IMAGE_STRUCTURE") for band in bands)
    return [int(tag.get("NBITS", 8)) for tag in tags]


def full_ranges(bits: Sequence[int]) -> tuple[Ranges, str]:
    """The range of bytes of which so many bits are used, and its name."""
    name = "uint8" if bits == [8] * len(bits) else f"{max(bits)}-bit data"
    return tuple((0.0, 2.0**count - 1) for count in bits), f"full range of {name}"
