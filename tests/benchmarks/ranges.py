"""Is a scene behind some milliseconds a request as quick as one on this machine?

python -m tests.benchmarks.ranges SCENE [--ms 30] [--runs 2] [--overlays]
python -m tests.benchmarks.ranges --serve FOLDER PORT [--ms 30]

Whole jobs of the shipped model in turns, local, far by the decoder of choice, and far by GDAL; each
in a process of its own. The last object has seconds, requests and ``ratio``: local over far.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import trustme

_JOB = """
import json, sys, tempfile, time
from pathlib import Path
from geogaze.config import Settings
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import run
if __name__ == "__main__":
    scene, overlays = sys.argv[1:]
    with tempfile.TemporaryDirectory() as out:
        asked = ExplainRequest(scene=scene, overlays=json.loads(overlays))
        report = run(asked, Path(out), Settings())
    print(json.dumps({"seconds": report.seconds, "tiles": report.tiles,
                      "decoder": report.plan.scene.decoder}))
"""


class Server(ThreadingHTTPServer):
    """Serves a folder's ranges over HTTPS, each answer some seconds late, and counts them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, port: int, delay: float) -> None:
        self.folder, self.delay, self.asked = folder, delay, 0
        self.counting = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/count":
            self._send(200, str(self.server.asked).encode())
            self.server.asked = 0
            return
        with self.server.counting:
            self.server.asked += 1
        time.sleep(self.server.delay)
        path = self.server.folder / Path(self.path.partition("?")[0]).name
        if not path.is_file():
            self._send(404, b"")
            return
        size = path.stat().st_size
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        start, stop = int(first or 0), min(int(last or size - 1) + 1, size)
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"} if first else {}
        self._send(206 if first else 200, data, ETag=f'"{path.stat().st_mtime_ns}"', **span)

    def _send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


def serve(folder: Path, port: int, delay: float, certificate: Path) -> None:
    """Serve until ended; says the port in a line."""
    server = Server(folder, port, delay)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    print(server.server_address[1], flush=True)
    server.serve_forever()


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine's loopback with its key, and who vouches for it."""
    authority = trustme.CA()
    certificate, trusted = folder / "server.pem", folder / "authority.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(trusted)
    return certificate, trusted


def job(scene: str, trusted: Path, *, overlays: bool, **settings: str) -> dict[str, object]:
    """A whole job in its own process."""
    names = ("GDAL_CURL_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    env = {**os.environ, **dict.fromkeys(names, str(trusted)), **settings}
    command = [sys.executable, "-c", _JOB, scene, json.dumps(overlays)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stderr)
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ranges", description=__doc__)
    parser.add_argument("scene", nargs="?", type=Path)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"))
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--ms", type=float, default=30.0)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--overlays", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.serve:
            certificate = asked.certificate or certify(Path(folder))[0]
            serve(Path(asked.serve[0]), int(asked.serve[1]), asked.ms / 1000, certificate)
            return
        certificate, trusted = certify(Path(folder))
        where = ["--serve", str(asked.scene.parent), "0", "--certificate", str(certificate)]
        command = [sys.executable, "-m", __spec__.name, *where, "--ms", str(asked.ms)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                host = f"https://127.0.0.1:{server.stdout.readline().strip()}"
                compare(asked, host, trusted)
            finally:
                server.terminate()


def compare(asked: argparse.Namespace, host: str, trusted: Path) -> None:
    """Run the jobs in turns and print what they took."""
    context = ssl.create_default_context(cafile=str(trusted))
    far = f"{host}/{asked.scene.name}"
    ways = {
        "local": (str(asked.scene), {}),
        "far": (far, {}),
        "far by GDAL": (far, {"GEOGAZE_DECODER": "gdal"}),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(asked.runs):
        for way, (scene, settings) in ways.items():
            found = job(scene, trusted, overlays=asked.overlays, **settings)
            count = int(urllib.request.urlopen(f"{host}/count", context=context).read())
            took[way].append(float(found["seconds"]))
            print(json.dumps({"way": way, **found, "requests": count}), flush=True)
    times = {way: median(seconds) for way, seconds in took.items()}
    ratios = {way: times["local"] / seconds for way, seconds in times.items()}
    print(json.dumps({"ms": asked.ms, "seconds": times, "ratio": ratios}))


if __name__ == "__main__":
    main()
