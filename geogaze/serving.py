"""A folder as a web server of this machine alone, with ranges: what a job's page reads by."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from geogaze.errors import InvalidRequest
from geogaze.products.page.assembling import PAGE, page_html

BESIDE = "beside"
"""Where a second folder lies that is shown beside the first."""

_HOST = "127.0.0.1"
_PIECE = 2**20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_TYPES = {
    ".tif": "image/tiff",
    ".parquet": "application/vnd.apache.parquet",
    ".gpkg": "application/geopackage+sqlite3",
}


class FolderServer(ThreadingHTTPServer):
    """Serves files of folders to browsers on this machine; it can only be read.

    Args:
        folders: by the first part of their addresses, "" for the one that needs none.
        port: to listen on; 0 takes a free one.

    Raises:
        InvalidRequest: the port is taken.
    """

    daemon_threads = True

    def __init__(self, folders: Mapping[str, Path], port: int = 0) -> None:
        self.folders = {name: folder.resolve() for name, folder in folders.items()}
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise InvalidRequest(f"Port {port} cannot be had: {error}. Try another.") from error

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{_HOST}:{self.server_port}/"

    def find(self, path: str) -> Path | None:
        """The file of an address' path; None where there is none that may be seen.

        Nothing outside of the folders may, nor what begins with a dot, which is work in progress.
        """
        parts = [part for part in unquote(urlsplit(path).path).split("/") if part]
        root = self.folders[""]
        if parts and parts[0] in self.folders:
            root = self.folders[parts.pop(0)]
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        found = root.joinpath(*parts or [PAGE]).resolve()
        return found if found.is_relative_to(root) else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    server: FolderServer

    def do_GET(self) -> None:
        """Send a file, or a part of it."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Only say what a file is."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        # Pages of other hosts may lead their own names here: none but ours is answered.
        if self.headers.get("Host") not in {f"{_HOST}:{self.server.server_port}", None}:
            self._end(HTTPStatus.FORBIDDEN)
            return
        found = self.server.find(self.path)
        if found is not None and found.is_file():
            with found.open("rb") as file:
                self._send(file, found.suffix, body=body)
        elif found is not None and found.name == PAGE and found.parent.is_dir():
            self._page(body=body)
        else:
            self._end(HTTPStatus.NOT_FOUND)

    def _send(self, file: BinaryIO, suffix: str, *, body: bool) -> None:
        about = os.fstat(file.fileno())
        tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        kind = _TYPES.get(suffix) or mimetypes.guess_type(f"file{suffix}")[0]
        headers = {
            "ETag": tag,
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-cache",
            "Content-Type": kind or "application/octet-stream",
        }
        if tag in self.headers.get("If-None-Match", ""):
            self._end(HTTPStatus.NOT_MODIFIED, headers)
            return
        asked = self.headers.get("Range", "")
        if self.headers.get("If-Range", tag) != tag:
            asked = ""  # of a file that has changed, all is wanted
        start, stop = 0, about.st_size
        status = HTTPStatus.OK
        if found := _RANGE.fullmatch(asked):
            start, stop = _span(found, about.st_size)
            if start >= stop:
                none = {"Content-Range": f"bytes */{about.st_size}"}
                self._end(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, none)
                return
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{about.st_size}"
        self._head(status, {**headers, "Content-Length": str(stop - start)})
        file.seek(start)
        while body and start < stop:
            piece = file.read(min(_PIECE, stop - start))
            if not piece:
                self.close_connection = True  # it has become shorter meanwhile
                return
            self.wfile.write(piece)
            start += len(piece)

    def _page(self, *, body: bool) -> None:
        """The page of a folder that has none, as jobs of earlier releases leave it."""
        page = page_html().encode()
        kind = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}
        self._head(HTTPStatus.OK, kind)
        if body:
            self.wfile.write(page)

    def _end(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {**(headers or {}), "Content-Length": "0"})

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    @override
    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # browsers leave when they have seen enough

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of requests."""


def _span(found: re.Match[str], size: int) -> tuple[int, int]:
    """The bytes of a range, the last one exclusive; none where there are none such."""
    first, last = found.groups()
    if not first:  # the last so many
        return (max(0, size - int(last)), size) if last else (0, 0)
    return int(first), min(int(last) + 1, size) if last else size
