"""Opening scenes without trusting what they are called or what they contain.

GDAL never sees a user's string: a source is matched against the operator's policy and turned into
a path built here, and only the GTiff driver may open it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.session import AWSSession

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable


@dataclass(frozen=True)
class SourcePolicy:
    """Where scenes may come from. ``folders=None`` allows any local file."""

    folders: tuple[Path, ...] | None = ()
    buckets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> SourcePolicy:
        """The operator's allow-list, for requests from others."""
        return cls(settings.source_folders, settings.source_buckets, settings.source_hosts)

    @classmethod
    def local(cls, settings: Settings) -> SourcePolicy:
        """Any local file besides: the command line's user reads with their own rights."""
        return cls(None, settings.source_buckets, settings.source_hosts)

    def gdal_path(self, uri: str) -> str:
        """The path that GDAL opens for an allowed source.

        Raises:
            SceneUnreadable: the source is not allowed, or a local file is missing.
        """
        try:
            return self._path(uri)
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise SceneUnreadable(f"{uri[:200]!r} names no scene: {error}") from error

    def _path(self, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme == "s3" and parts.netloc in self.buckets:
            steps = unquote(parts.path).split("/")[1:]
            if not steps or {"", ".", ".."} & set(steps):
                raise self._refusal(uri)
            return f"/vsis3/{parts.netloc}{parts.path}"
        if parts.scheme == "https" and parts.hostname in self.hosts:
            query = f"?{parts.query}" if parts.query else ""
            return f"/vsicurl/https://{parts.netloc}{quote(parts.path, safe='/%')}{query}"
        if parts.scheme in {"", "file"}:
            return str(self._file(Path(unquote(parts.path) if parts.scheme else uri), uri))
        raise self._refusal(uri)

    def _file(self, path: Path, uri: str) -> Path:
        resolved = path.resolve()
        if self.folders is not None and not any(
            resolved.is_relative_to(folder.resolve()) for folder in self.folders
        ):
            raise self._refusal(uri)
        if not resolved.is_file():
            raise SceneUnreadable(f"There is no file {uri!r}.")
        return resolved

    def _refusal(self, uri: str) -> SceneUnreadable:
        folders = "any local file" if self.folders is None else _listed("folders", self.folders)
        return SceneUnreadable(
            f"The scene {uri!r} is not an allowed source. Allowed: {folders}, "
            f"{_listed('s3 buckets', self.buckets)}, {_listed('https hosts', self.hosts)} "
            "(GEOGAZE_SOURCE_FOLDERS, GEOGAZE_SOURCE_BUCKETS, GEOGAZE_SOURCE_HOSTS)."
        )


def is_remote(uri: str) -> bool:
    """Whether a source is fetched from elsewhere, so that reading it may fail for a while."""
    return urlsplit(uri).scheme in {"s3", "https"}


def _listed(what: str, values: tuple[object, ...]) -> str:
    return f"{what} {', '.join(map(str, values))}" if values else f"no {what}"


@contextmanager
def gdal_environment(settings: Settings) -> Iterator[None]:
    """GDAL options for all raster work: bounded cache, no sidecar files, no surprises."""
    session = None
    if settings.s3_endpoint and settings.s3_access_key and settings.s3_secret_key:
        endpoint = urlsplit(settings.s3_endpoint)
        session = AWSSession(
            aws_access_key_id=settings.s3_access_key.get_secret_value(),
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            region_name=settings.s3_region,
            endpoint_url=endpoint.netloc,
        )
    options = {
        "GDAL_CACHEMAX": settings.gdal_cache_mb * 2**20,  # rasterio hands on bytes
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": False,
        "GDAL_HTTP_MAX_RETRY": 3,
        "AWS_HTTPS": not (settings.s3_endpoint or "").startswith("http://"),
        "AWS_VIRTUAL_HOSTING": settings.s3_endpoint is None,
    }
    with rasterio.Env(session, **options):
        yield


@contextmanager
def open_scene(uri: str, policy: SourcePolicy, settings: Settings) -> Iterator[DatasetReader]:
    """Open a GeoTIFF for reading.

    Raises:
        SceneUnreadable: not allowed, missing, not a GeoTIFF, or larger than the operator's caps.
    """
    path = policy.gdal_path(uri)
    with gdal_environment(settings):
        try:
            with warnings.catch_warnings():
                # The refusal of such scenes says it better.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(path, driver="GTiff")
        except RasterioError as error:
            raise SceneUnreadable(
                f"{uri!r} cannot be opened as a GeoTIFF: {error}. "
                "Convert it with 'gdal_translate -of COG' first."
            ) from error
        with dataset:
            _check_caps(uri, dataset, settings)
            yield dataset


def _check_caps(uri: str, dataset: DatasetReader, settings: Settings) -> None:
    pixels = dataset.width * dataset.height
    if pixels > settings.max_scene_pixels:
        raise SceneUnreadable(
            f"{uri!r} has {pixels:,} pixels; at most {settings.max_scene_pixels:,} are allowed "
            "(GEOGAZE_MAX_SCENE_PIXELS)."
        )
    rows, cols = dataset.block_shapes[0]
    block = rows * cols * dataset.count * 8
    if block > settings.max_block_bytes:
        raise SceneUnreadable(
            f"{uri!r} has internal blocks of {rows} × {cols} pixels, too large to read piece by "
            "piece. Convert it with 'gdal_translate -of COG' first."
        )
