"""Settings, read from the environment with the prefix ``GEOGAZE_``."""

from __future__ import annotations

import os
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator decides. ``docs/configuration.md`` lists every field."""

    model_config = SettingsConfigDict(env_prefix="GEOGAZE_", frozen=True)

    # Where things live
    # Addresses may hold passwords: they are not shown with the rest.
    database_url: str = Field(
        "sqlite:///geogaze.db", repr=False, description="SQLAlchemy URL of the ledger"
    )
    broker_url: str = Field("redis://localhost:6379/0", repr=False, description="Celery's broker")
    storage: str = Field("objects", description="s3://BUCKET[/PREFIX], or a folder")
    s3_endpoint: str | None = Field(None, description="S3 endpoint; unset for AWS itself")
    s3_public_endpoint: str | None = Field(
        None, description="endpoint put into presigned URLs, where clients see another one"
    )
    s3_access_key: SecretStr | None = Field(None, description="access key; unset: boto3's chain")
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    presign_seconds: int = Field(3600, gt=0, description="lifetime of links to objects in a bucket")

    # What may be read
    source_folders: tuple[Path, ...] = Field((), description="folders scenes may be read from")
    source_buckets: tuple[str, ...] = Field((), description="S3 buckets scenes may be read from")
    source_hosts: tuple[str, ...] = Field(
        (), description="HTTPS hosts scenes may be read from; HOST:PORT for another port than 443"
    )
    source_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks that hosts may lie in by their names, besides public ones"
    )
    model_folders: tuple[Path, ...] = Field((), description="folders of bundles")
    model_registry: str | None = Field(
        None,
        description="s3://BUCKET[/PREFIX], or a folder, of registered models; unset: one's own",
    )
    max_scene_pixels: int = Field(100_000_000_000, gt=0)
    max_block_bytes: int = Field(256 * 2**20, gt=0, description="largest internal block of a scene")

    # How long others may take
    connect_seconds: float = Field(5.0, gt=0, description="to a scene's host or store")
    silence_seconds: float = Field(
        10.0, gt=0, description="a scene's host that sends next to nothing for this long is away"
    )
    request_seconds: float = Field(
        60.0, gt=0, description="most that one request for a piece of a scene may take"
    )
    decoder: Literal["auto", "gdal", "async-tiff"] = Field(
        "auto",
        description="of new jobs' pixels; auto: async-tiff, where it is installed, for plain "
        "remote GeoTIFFs, else GDAL",
    )
    plan_seconds: float = Field(
        25.0, gt=0, description="most that the API takes to open a scene and plan a job"
    )
    plans_at_once: int = Field(
        4, gt=0, description="plans that the API makes at once for scenes of one host or store"
    )

    plan_apart: bool = Field(
        False, description="whether the scenes of plans are opened in a process of their own"
    )
    plan_apart_mb: int = Field(
        4096, ge=1024, description="… with so much memory, addresses included"
    )

    # How work is done
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    runtime: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="of the trunk; auto: OpenVINO on a CPU, where it is installed and exact",
    )
    precision: Literal["auto", "fp32", "tf32", "fp16", "bf16"] = Field(
        "auto",
        description="of the trunk; auto: fp32 on a CPU, on a GPU the quickest that keeps the best "
        "class of 99 % of the tiles and changes heat by no more than 0.03",
    )
    cache_folder: Path | None = Field(
        None,
        description="folder for converted networks and what was measured of them; unset: the "
        "user's own for such things",
    )
    torch_threads: int = Field(
        0, ge=0, description="CPU threads of a worker; 0: as many as there are cores to use"
    )
    batch_size: int = Field(0, ge=0, description="tiles in one forward; 0: what memory holds")
    lanes: int = Field(2, gt=0, description="units in hand: one explains, others read and write")
    chunk_tiles: int = Field(256, gt=0, description="most tiles in one unit of work")
    chunk_bytes: int = Field(64 * 2**20, gt=0, description="most evidence in one unit of work")
    context_pixels: int = Field(
        2048, gt=0, description="side of the window of a unit in scene context"
    )
    max_finish_bytes: int = Field(
        8 * 2**30, gt=0, description="most memory that putting a job's products together may take"
    )
    scratch: Path | None = Field(None, description="folder for drafts; unset: the system's")
    gdal_cache_mb: int = Field(256, gt=0)

    # How the ledger is driven
    lease_seconds: float = Field(60.0, gt=0, description="a unit's claim, renewed at a third")
    max_attempts: int = Field(5, gt=0, description="tries of a unit before its job fails")
    outage_patience: int = Field(
        4, gt=0, description="times as many tries while storage, database or device are away"
    )
    split_attempts: int = Field(
        2, gt=0, description="tries of a unit that was split off one that kept failing"
    )
    backoff_seconds: float = Field(
        0.5,
        gt=0,
        description="a unit waits up to twice this after its first try; it doubles",
    )
    backoff_cap_seconds: float = Field(60.0, gt=0, description="… up to this")
    redeliver_seconds: float = Field(
        300.0, gt=0, description="a dispatched unit nobody claimed is dispatched again after this"
    )
    lost_seconds: float = Field(
        5.0, gt=0, description="… and after this where the broker's queue is empty"
    )
    messages_per_slot: float = Field(
        2.0, gt=0, description="messages kept in the broker for each unit that workers take at once"
    )
    dispatch_interval: float = Field(0.5, gt=0, description="seconds between dispatcher rounds")
    lead_seconds: float = Field(
        10.0, gt=0, description="a dispatcher that is silent so long is replaced by one standing by"
    )

    # What is uploaded
    upload_bytes: int = Field(
        20 * 2**30, ge=0, description="largest scene that may be uploaded; 0: none may"
    )
    upload_part_bytes: int = Field(
        16 * 2**20,
        gt=0,
        description="bytes of one part, unless the storage wants larger ones",
    )
    upload_seconds: float = Field(
        86400.0, gt=0, le=86400, description="time that an upload may take, pauses included"
    )

    upload_check_seconds: float = Field(
        60.0, gt=0, description="most that looking at a scene that was uploaded may take"
    )
    upload_check_mb: int = Field(4096, ge=1024, description="… and of memory, addresses included")

    # What is kept
    retention: float = Field(
        30 * 86400.0, gt=0, description="seconds after its end that a job's products are kept"
    )
    retention_by_tenant: dict[str, PositiveFloat] = Field(
        {}, description="… of tenants for whom it is another"
    )
    collect_seconds: float = Field(
        600.0, gt=0, description="seconds between searches for what crashes left in storage"
    )

    # What it costs
    price_core_hour: float = Field(0.0, ge=0, description="of a worker's processor core, by hour")
    price_gpu_hour: float = Field(0.0, ge=0, description="of a worker's GPU, besides its cores")
    price_gb_month: float = Field(
        0.0, ge=0, description="of a gigabyte of products, kept for a month"
    )
    currency: str = Field("USD", min_length=1, max_length=8, description="of these prices")

    # Who asks, and who is told
    tenant_header: str | None = Field(
        None, description="header in which a gateway names the tenant; unset: there is one tenant"
    )
    keys: bool = Field(False, description="whether callers must show a key (geogaze keys create)")
    oidc_issuer: str | None = Field(
        None, pattern=r"^https://", description="whose OpenID Connect tokens are taken"
    )
    oidc_audience: str | None = Field(None, description="whom these tokens must be for")
    oidc_tenant_claim: str = Field("sub", description="claim of a token that is the tenant")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="networks of gateways and proxies, whose headers are believed",
    )
    wrong_key_rate: str | None = Field(
        "60/minute",
        description="keys and tokens that are none which one address may show; unset: any number",
    )
    request_rate: str | None = Field(
        None, description="requests that a tenant may make: 1200/minute; unset: as many as it likes"
    )
    submit_rate: str | None = Field(None, description="… of those that start or change jobs")
    rate_store: str = Field(
        "memory://",
        repr=False,
        description="where requests are counted; memory: by each API process",
    )
    quota_jobs: int | None = Field(None, gt=0, description="open jobs that a tenant may have")
    quota_tiles: int | None = Field(None, gt=0, description="tiles of a tenant in a day")
    quota_bytes: int | None = Field(None, gt=0, description="bytes of products of a tenant")
    quota_uploads: int | None = Field(None, gt=0, description="uploads that a tenant may have")
    quota_upload_bytes: int | None = Field(None, gt=0, description="… and bytes of them")
    top_priority: Literal["low", "normal", "high"] = Field(
        "high", description="most urgent priority that may be asked for"
    )
    callback_hosts: tuple[str, ...] = Field((), description="hosts that may be told of jobs' ends")
    callback_secret: SecretStr | None = Field(None, description="signs what they are told")
    callback_attempts: int = Field(12, gt=0, description="tries to deliver one message")
    callback_backoff_seconds: float = Field(
        2.0, gt=0, description="a message waits up to twice this after its first try; it doubles …"
    )
    callback_backoff_cap_seconds: float = Field(3600.0, gt=0, description="… up to this")

    # How the API is reached
    public_url: str | None = Field(
        None, pattern=r"^https?://[^\s?#]+$", description="address that links start with"
    )
    hsts_seconds: int = Field(
        31_536_000, ge=0, description="for which browsers come by TLS alone, once they did; 0: not"
    )
    cors_origins: tuple[str, ...] = Field((), description="web pages' origins that may ask; or *")
    tiles_mb: int = Field(
        512, gt=0, description="megabytes of layers that the API keeps for their tiles"
    )
    features_mb: int = Field(
        2048,
        gt=0,
        description="megabytes of GeoPackages copied from a bucket that the API keeps for features",
    )
    value_bytes: int = Field(
        2**20, gt=0, description="most bytes of products that one answer carries by value"
    )
    sync_seconds: float = Field(
        25.0, gt=0, description="most that an execution waits whose client prefers no other way"
    )
    max_body_bytes: int = Field(4 * 2**20, gt=0, description="longest body of a request")

    # What operators see
    metrics_listen: str | None = Field(
        None,
        pattern=r"^([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$",
        description="HOST:PORT on which a worker or dispatcher answers Prometheus; unset: on none",
    )
    metrics_tenants: int = Field(
        20, ge=0, description="tenants, and models, that metrics name; others are one together"
    )
    log_format: Literal["console", "json"] = "console"
    log_level: str = "info"

    def __hash__(self) -> int:
        """Clients of S3 are kept by their settings, of which a mapping has no hash."""
        return hash(tuple(v for v in vars(self).values() if not isinstance(v, dict)))

    def kept_for(self, tenant: str) -> float:
        """Seconds that a tenant's products and uploads are kept."""
        return self.retention_by_tenant.get(tenant, self.retention)

    @property
    def kept_in(self) -> Path:
        """The folder for what can be made again: ``cache_folder``, or the user's own for such
        things (XDG Base Directory Specification).
        """
        users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return self.cache_folder or users / "geogaze"

    @property
    def registry(self) -> str:
        """Where registered models are: ``model_registry``, or the user's own folder for such
        things (XDG Base Directory Specification).
        """
        users = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        return self.model_registry or str(users / "geogaze" / "models")


@cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
