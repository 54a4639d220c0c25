"""A file on its way to a server: the parts that are missing there, and again what got lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import sleep

import httpx

from geogaze.errors import RemoteError, RemoteRefusal
from geogaze.files import file_sha256
from geogaze.following import Document

Ask = Callable[..., Document]

_PART_SECONDS = 300.0
_CHECK_SECONDS = 1800.0  # the server reads all of it
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # after parts that did not arrive, until one does


class Sending:
    """One file that is sent.

    Args:
        ask: asks the API, and gives its document.
        http: sends parts to where the API says.
        path: the file.
        on_bytes: told how many of its bytes are there, and how many it has.
    """

    def __init__(
        self, ask: Ask, http: httpx.Client, path: Path, on_bytes: Callable[[int, int], None]
    ) -> None:
        self._ask, self._http, self._path, self._on_bytes = ask, http, path, on_bytes

    def run(self) -> Document:
        """Send what is missing; the upload as it is then, with the address of the ``scene``.

        Raises:
            RemoteRefusal: the file is not there to be read, or the server refuses it.
            RemoteError: the server or its storage stayed away.
        """
        try:
            size, digest = self._path.stat().st_size, file_sha256(self._path)
        except OSError as error:
            raise RemoteRefusal(f"{self._path} cannot be read: {error.strerror}.") from error
        announced = {"name": self._path.name, "size": size, "sha256": digest}
        upload = self._ask("POST", "/uploads", json=announced)
        address = f"/uploads/{upload['id']}"
        lost = 0
        while missing := upload["missing"]:
            before = upload["received"]
            wrong = self._send(missing, before * upload["partSize"], size)
            upload = self._again(address)
            if upload["received"] > before:
                lost = 0
            elif lost == len(_PAUSES):
                raise RemoteError(f"{self._path.name} does not arrive: {wrong}") from wrong
            else:
                sleep(_PAUSES[lost])
                lost += 1
        self._on_bytes(size, size)
        return self._ask("POST", f"{address}/complete", timeout=_CHECK_SECONDS)

    def _send(self, missing: list[Document], there: int, size: int) -> Exception | None:
        """Send parts until one does not arrive; what then was wrong."""
        with self._path.open("rb") as file:
            for part in missing:
                self._on_bytes(min(there, size), size)
                file.seek(part["start"])
                data = file.read(part["size"])
                try:
                    self._put(part["href"], data).raise_for_status()
                except httpx.HTTPError as error:
                    return error
                there += len(data)
        return None

    def _put(self, href: str, data: bytes) -> httpx.Response:
        """Send a part; a bucket is told nothing that is meant for the API."""
        ours, place = self._http.base_url, httpx.URL(href)
        if (place.scheme, place.netloc) == (ours.scheme, ours.netloc):
            return self._http.put(href, content=data, timeout=_PART_SECONDS)
        return httpx.put(href, content=data, timeout=_PART_SECONDS)

    def _again(self, address: str) -> Document:
        """The upload as the API sees it, which may be away for a while."""
        for pause in _PAUSES:
            try:
                return self._ask("GET", address)
            except RemoteRefusal:
                raise
            except RemoteError:
                sleep(pause)
        return self._ask("GET", address)
