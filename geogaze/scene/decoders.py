"""What turns a scene's stored blocks into pixels: part of where a job's pixels come from.

Pixels of a lossy codec differ from decoder to decoder, so a job keeps to one: it is chosen when the
job is planned, is in its plan, and a worker that lacks it gives the unit back.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

import rasterio

from geogaze.config import Settings
from geogaze.errors import GeogazeError, Retry
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import is_remote

ASYNC_TIFF = "async-tiff"


class DecoderMissing(GeogazeError):
    """A worker lacks what a job's pixels are decoded by; others have it."""

    status = 503
    retry = Retry.ELSEWHERE
    slug = "decoder-missing"
    title = "A decoder is not installed"


@cache
def gdal_decoder() -> str:
    """GDAL's name in plans: with the numbers that its pixels may change with."""
    return f"gdal {rasterio.__gdal_version__.partition('.')[0]}"


@cache
def ranged_decoder() -> str | None:
    """The name in plans of async-tiff, if it is installed."""
    try:
        return f"{ASYNC_TIFF} {'.'.join(version(ASYNC_TIFF).split('.')[:2])}"
    except PackageNotFoundError:
        return None


def may_be_ranged(uri: str, settings: Settings) -> bool:
    """Whether a scene may be read by async-tiff, if it is plain enough.

    Raises:
        DecoderMissing: the operator wants it, and it is not installed.
    """
    if settings.decoder == ASYNC_TIFF and ranged_decoder() is None:
        raise _missing(ASYNC_TIFF)
    return settings.decoder != "gdal" and is_remote(uri) and ranged_decoder() is not None


def is_ranged(decoder: str | None) -> bool:
    """Whether a planned decoder is this machine's async-tiff; None leaves it to the format.

    Raises:
        DecoderMissing: it is none that this machine has.
    """
    if decoder in {None, gdal_decoder()}:
        return False
    if decoder != ranged_decoder():
        raise _missing(str(decoder))
    return True


def resampled(scene: SceneInfo) -> SceneInfo:
    """The same scene for a job at another resolution: only GDAL makes other pixels of a file's."""
    return scene.model_copy(update={"decoder": gdal_decoder()}) if scene.decoder else scene


def _missing(wanted: str) -> DecoderMissing:
    have = " and ".join(filter(None, (gdal_decoder(), ranged_decoder())))
    return DecoderMissing(
        f"The scene's pixels are to be decoded by {wanted}, and this machine has {have}. Install "
        "the same release with the same extras everywhere, or set GEOGAZE_DECODER=gdal for the "
        "API and submit the job again."
    )
