"""Which version of a scene's file this is, as its store tells without its being read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from geogaze.config import Settings
from geogaze.scene.source import SourcePolicy

log = structlog.get_logger()

_SECONDS = 10.0


def scene_version(uri: str, policy: SourcePolicy, settings: Settings) -> str | None:
    """Modification time and size of a file, or the ETag of an object; None if it is not told.

    Raises:
        SceneUnreadable: the source is not allowed.
    """
    path = policy.gdal_path(uri)
    try:
        if path.startswith("/vsis3/"):
            return _of_object(path.removeprefix("/vsis3/"), settings)
        if path.startswith("/vsicurl/"):
            return _of_page(path.removeprefix("/vsicurl/"))
        found = Path(path).stat()
    except Exception as error:
        # Nothing is lost but the chance to use what an earlier job explained.
        log.warning("scene has no version", scene=uri, error=str(error))
        return None
    return f"{found.st_mtime_ns}-{found.st_size}"


def _of_object(path: str, settings: Settings) -> str | None:
    import boto3
    from botocore.config import Config

    bucket, _, key = path.partition("/")
    access, secret = settings.s3_access_key, settings.s3_secret_key
    client: Any = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=access.get_secret_value() if access else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"max_attempts": 1}),
    )
    found = client.head_object(Bucket=bucket, Key=key)
    return f"{found['ETag']}-{found['ContentLength']}"


def _of_page(url: str) -> str | None:
    import httpx

    assert urlsplit(url).scheme == "https", "the policy makes it so"
    headers = httpx.head(url, timeout=_SECONDS, follow_redirects=False).headers
    version: str | None = headers.get("etag") or headers.get("last-modified")
    return version
