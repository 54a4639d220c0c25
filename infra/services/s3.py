"""An S3 server, and what a client needs to know of one."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import quote, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from geogaze.config import Settings
from geogaze.s3 import s3_client
from infra.services import swift
from infra.services.server import LOOPBACK, Server, hold_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """Where an S3 server is, and how to sign in; the same for our server and any other."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    bucket: str

    @classmethod
    def from_url(cls, url: str, *, region: str = _DEFAULT_REGION) -> Self:
        """Reads ``http://access:secret@host:port/bucket``, its parts percent-encoded.

        Raises:
            ValueError: If a part is missing.
        """
        parts = urlsplit(url)
        bucket = unquote(parts.path.strip("/"))
        if not (parts.scheme and parts.hostname and parts.username and parts.password and bucket):
            # Without the URL itself, as it may hold a secret.
            raise ValueError("an S3 URL has the form http://access:secret@host:port/bucket")
        return cls(
            endpoint=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            access_key=unquote(parts.username),
            secret_key=unquote(parts.password),
            region=region,
            bucket=bucket,
        )

    @property
    def url(self) -> str:
        """The form that ``from_url`` reads; it holds the secret."""
        scheme, _, host = self.endpoint.partition("://")
        access_key, secret_key = quote(self.access_key, safe=""), quote(self.secret_key, safe="")
        return f"{scheme}://{access_key}:{secret_key}@{host}/{quote(self.bucket)}"

    def client(self, *, attempts: int = 3, timeout_s: float = 60.0) -> "S3Client":
        """Makes a client, as geogaze's own are."""
        settings = Settings(
            s3_endpoint=self.endpoint,
            s3_access_key=SecretStr(self.access_key),
            s3_secret_key=SecretStr(self.secret_key),
            s3_region=self.region,
        )
        return s3_client(
            settings, connect_seconds=timeout_s, read_seconds=timeout_s, attempts=attempts
        )


class S3(Server):
    """An OpenStack Swift node with its S3 interface: one disk, one user, one bucket at first.

    It checks signatures, their expiry and conditions as a production server does, and what it
    has acknowledged survives ``kill()``. The first start on a machine installs Swift.

    Args:
        folder: The server's own folder, on a file system with extended attributes.
        bucket: Made at start if missing.
        port: The loopback port to listen on; a free one if not given.
    """

    name: ClassVar[str] = "s3"
    start_timeout_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path, *, bucket: str = "geogaze", port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self.connection = S3Endpoint(
            endpoint=f"http://{LOOPBACK}:{self.port}",
            access_key=f"{swift.ACCOUNT}:{swift.USER}",
            secret_key=swift.SECRET_KEY,
            region=swift.REGION,
            bucket=bucket,
        )
        self._ports = {"proxy": self.port}
        for kind in ("account", "container", "object"):
            self._ports[kind] = hold_port(self)
        self._probe = self.connection.client(attempts=1, timeout_s=20)

    @property
    def url(self) -> str:
        """The whole connection as one URL, for ``S3Endpoint.from_url``."""
        return self.connection.url

    @property
    def endpoint(self) -> str:
        """The server's address, without a bucket."""
        return self.connection.endpoint

    @property
    def access_key(self) -> str:
        """The access key id."""
        return self.connection.access_key

    @property
    def secret_key(self) -> str:
        """The secret access key."""
        return self.connection.secret_key

    @property
    def region(self) -> str:
        """The region that signatures must name."""
        return self.connection.region

    @property
    def bucket(self) -> str:
        """The bucket that exists from the start."""
        return self.connection.bucket

    def _prepare(self) -> None:
        swift.write_configuration(self.folder, self._ports)
        self._python = swift.install_swift()

    def _command(self) -> list[str]:
        # Isolated: this folder must not come on the path, where redis.py would hide a package.
        return [
            *(str(self._python), "-I", str(Path(__file__).with_name("swift_node.py"))),
            str(self.folder),
            *(str(port) for port in self._ports.values()),
        ]

    def _unready(self) -> str | None:
        try:
            # The proxy may be up before the servers behind it, and a listing asks only some.
            for port in self._ports.values():
                socket.create_connection((LOOPBACK, port), timeout=2).close()
            present = {bucket["Name"] for bucket in self._probe.list_buckets()["Buckets"]}
            if self.bucket not in present:
                self._probe.create_bucket(Bucket=self.bucket)
            self._probe.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
        except (OSError, BotoCoreError, ClientError) as error:
            return str(error)
        return None
