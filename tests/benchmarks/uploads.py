"""A large scene sent to a bucket by a client that is killed again and again.

``python -m tests.benchmarks.uploads --gigabytes 2``: a stack of real servers; ``geogaze.Client``
uploads from a process of its own, which is killed after a quarter, a half and three quarters.
Printed as JSON: bytes that were there when each process began and ended, seconds, the most memory
of the API, and whether the object in the bucket has the file's sha256. Ends with 1 where it has
not, or where a wrong checksum or a file that is no scene leaves something behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import rasterio
import rasterio.windows
from affine import Affine

from geogaze.client import Client
from geogaze.config import Settings
from geogaze.files import file_sha256
from geogaze.storage import S3Storage, open_storage
from infra.stack import Stack

_SIDE = 1024
_SENDING = """
import sys
from pathlib import Path
from geogaze.client import Client
with Client(sys.argv[1]) as client:
    tell = lambda sent, of: print(sent, flush=True)
    print(client.upload(Path(sys.argv[2]), on_bytes=tell), flush=True)
"""


def main() -> int:
    """Send, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geogaze-uploads-") as folder:
        base = Path(folder)
        (base / "scenes").mkdir()
        scene = _scene(base / "large.tif", round(asked.gigabytes * 1e9))
        with Stack(base / "stack", source_folders=[base / "scenes"], workers=1) as stack:
            storage = _storage(stack)
            figures = _sent(stack.api_url, scene, storage)
            figures["left by what is refused"] = _refused(stack.api_url, base, storage)
    print(json.dumps(figures, indent=2))
    return 0 if figures["whole"] and not figures["left by what is refused"] else 1


def _scene(path: Path, size: int) -> Path:
    """A GeoTIFF of noise, which does not compress, of about so many bytes."""
    rows = max(1, round(size / (32 * _SIDE * _SIDE)))
    profile = {"width": 32 * _SIDE, "height": rows * _SIDE, "count": 1, "dtype": "uint8"}
    tiled = {"tiled": True, "blockxsize": _SIDE, "blockysize": _SIDE, "crs": "EPSG:32631"}
    place = Affine(0.5, 0, 420_000, 0, -0.5, 5_710_000)
    chance = np.random.default_rng(1)
    with rasterio.open(path, "w", "GTiff", transform=place, **profile, **tiled) as file:
        for row in range(rows):
            pixels = np.frombuffer(chance.bytes(32 * _SIDE * _SIDE), np.uint8)
            window = rasterio.windows.Window(0, row * _SIDE, 32 * _SIDE, _SIDE)
            file.write(pixels.reshape(_SIDE, -1), 1, window=window)
    return path


def _storage(stack: Stack) -> S3Storage:
    """The bucket that the stack has."""
    said = stack.environment.items()
    names = ("STORAGE", "S3_")
    of_s3 = {
        name.removeprefix("GEOGAZE_").lower(): value
        for name, value in said
        if name.removeprefix("GEOGAZE_").startswith(names)
    }
    storage = open_storage(Settings(**of_s3))  # type: ignore[arg-type]
    assert isinstance(storage, S3Storage)
    return storage


def _api(url: str) -> psutil.Process:
    """The process that answers at an address."""
    port = httpx.URL(url).port
    (found,) = [
        process
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    return found


def _sent(url: str, scene: Path, storage: S3Storage) -> dict[str, Any]:
    size, api, over = scene.stat().st_size, _api(url), threading.Event()
    rested = api.memory_info().rss
    most = [rested]

    def watch() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], api.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    spans = [_killed(url, scene, cut * size / 4) for cut in (1, 2, 3)]
    there, last = _let_be(url, scene)
    seconds = time.monotonic() - began
    over.set()
    watching.join()
    return {
        "bytes": size,
        "there when each process began and ended": [*spans, last],
        "seconds": round(seconds, 1),
        "API at rest, MB": round(rested / 1e6),
        "API at most, MB": round(most[0] / 1e6),
        "whole": _digest(storage, there) == file_sha256(scene),
    }


def _sending(url: str, scene: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _SENDING, url, str(scene)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def _killed(url: str, scene: Path, at: float) -> list[int]:
    """Send until so many bytes are there, and kill who sends; how many there were at first and
    last.
    """
    seen: list[int] = []
    with _sending(url, scene) as process:
        assert process.stdout
        for line in process.stdout:
            seen.append(int(line))
            if seen[-1] >= at:
                process.kill()
                break
    return [seen[0], seen[-1]]


def _let_be(url: str, scene: Path) -> tuple[str, list[int]]:
    """Send all that is missing; the scene's address there, and the same numbers."""
    with _sending(url, scene) as process:
        assert process.stdout
        *seen, there = process.stdout.read().split()
    return there, [int(seen[0]), int(seen[-1])]


def _digest(storage: S3Storage, scene: str) -> str:
    """The sha256 of a scene in the bucket, read piece by piece."""
    key = scene.removeprefix(f"s3://{storage.bucket}/")
    body = storage.client.get_object(Bucket=storage.bucket, Key=key)["Body"]
    digest = hashlib.sha256()
    for piece in body.iter_chunks(2**20):
        digest.update(piece)
    return digest.hexdigest()


def _refused(url: str, base: Path, storage: S3Storage) -> list[str]:
    """What a wrong checksum, and a file that is no scene, leave in the bucket."""
    before = set(storage.keys(""))
    text = base / "notes.tif"
    text.write_bytes(b"no pixels " * 1_000_000)
    for digest in ("0" * 64, file_sha256(text)):
        with Client(url) as client:
            announced = {"name": text.name, "size": text.stat().st_size, "sha256": digest}
            upload = client.http.post("/uploads", json=announced).json()
            data = text.read_bytes()
            for part in upload["missing"]:
                piece = data[part["start"] :][: part["size"]]
                httpx.put(part["href"], content=piece).raise_for_status()
            done = client.http.post(f"/uploads/{upload['id']}/complete", timeout=300)
            assert done.is_client_error, done.text
    begun = storage.client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", [])
    return [*(set(storage.keys("")) - before), *(str(one["Key"]) for one in begun)]


if __name__ == "__main__":
    sys.exit(main())
