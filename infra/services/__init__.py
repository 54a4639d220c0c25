"""Real Redis, PostgreSQL and S3 servers on loopback ports, without containers.

Integration tests and developers start them in a folder of their own; chaos tests kill them and
start them again on the same port with the same data::

    with Redis(folder / "redis", appendonly=True) as redis:
        redis.kill()
        redis.start()

``python -m infra.services`` starts all three until Ctrl-C.
"""

from infra.services.postgres import Postgres
from infra.services.redis import Redis
from infra.services.s3 import S3, S3Endpoint
from infra.services.server import Server, ServiceError
from infra.services.swift import install_swift

__all__ = [
    "S3",
    "Postgres",
    "Redis",
    "S3Endpoint",
    "Server",
    "ServiceError",
    "install_swift",
]
