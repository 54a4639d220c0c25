"""How S3 is reached: one configuration for storage, for versions of scenes, and for GDAL."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geogaze.config import Settings
from geogaze.extras import need

if TYPE_CHECKING:
    import boto3
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client
    from rasterio.session import AWSSession

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_SIGNED_SECONDS = 600
_making = threading.Lock()  # a session makes one client at a time; clients are for many threads


def s3_errors() -> tuple[tuple[type[Exception], ...], type[ClientError]]:
    """What boto3 raises where S3 does not answer, and where it refuses.

    Raises:
        LibraryAbsent: boto3 is not installed.
    """
    need("boto3", "s3", "S3")
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, Boto3Error), ClientError


def _session(settings: Settings) -> boto3.Session:
    """The settings' keys, or what boto3 finds where it always looks."""
    access, secret = settings.s3_access_key, settings.s3_secret_key
    return _kept_session(
        access.get_secret_value() if access else None,
        secret.get_secret_value() if secret else None,
        settings.s3_region,
    )


@lru_cache(maxsize=4)
def _kept_session(access: str | None, secret: str | None, region: str) -> boto3.Session:
    """Kept, so that an instance's role is asked once and its credentials are renewed in time."""
    import boto3

    return boto3.Session(access, secret, region_name=region)


def s3_client(
    settings: Settings,
    *,
    endpoint: str | None = None,
    connect_seconds: float = _CONNECT_SECONDS,
    read_seconds: float = _READ_SECONDS,
    attempts: int = 6,
) -> S3Client:
    """A client that keeps to what every S3-compatible service knows.

    Args:
        settings: the operator's.
        endpoint: another than the settings'.
        connect_seconds: most that a connection may take.
        read_seconds: longest silence of a service that is to answer.
        attempts: tries of one request.
    """
    from botocore import UNSIGNED
    from botocore.config import Config

    session = _session(settings)
    endpoint = endpoint or settings.s3_endpoint
    with _making:
        return session.client(
            "s3",
            endpoint_url=endpoint,
            config=Config(
                # Public buckets are open to those without credentials.
                signature_version="s3v4" if session.get_credentials() else UNSIGNED,
                s3={"addressing_style": "path" if endpoint else "auto"},
                connect_timeout=connect_seconds,
                read_timeout=read_seconds,
                retries={"total_max_attempts": attempts, "mode": "standard"},
                # Newer default checksums are not understood by every S3-compatible service.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


@lru_cache(maxsize=4)
def _signing_client(settings: Settings) -> S3Client:
    return s3_client(settings)


def presigned_url(settings: Settings, bucket: str, key: str) -> str:
    """An address under which anybody gets an object, for some minutes; nothing is asked for it."""
    return _signing_client(settings).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=_SIGNED_SECONDS
    )


def gdal_session(settings: Settings) -> tuple[AWSSession, dict[str, bool]]:
    """The same for GDAL: a session, and options to go with it."""
    need("boto3", "s3", "S3")
    from rasterio.session import AWSSession

    session, endpoint = _session(settings), urlsplit(settings.s3_endpoint or "")
    unsigned = session.get_credentials() is None
    options = {
        "AWS_HTTPS": endpoint.scheme != "http",
        "AWS_VIRTUAL_HOSTING": not endpoint.netloc,
    }
    # An unsigned session of rasterio's takes its region from what it is given.
    return AWSSession(session, aws_unsigned=unsigned, endpoint_url=endpoint.netloc or None), options
