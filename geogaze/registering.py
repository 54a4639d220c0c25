"""Models of a server, from Python: the part of :class:`geogaze.Client` that is theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx

from geogaze.documents import Model, ModelVersion
from geogaze.following import Document
from geogaze.models.packed import SUFFIX, pack
from geogaze.uploading import Sending

_ADD_SECONDS = 1800.0  # the server reads all of it, and writes it elsewhere


class Registering:
    """What a client may do with models. Changes want a key of the scope ``admin``.

    All methods raise ``RemoteRefusal`` where the request is wrong or not allowed, whose message is
    the problem's detail, and ``RemoteError`` where the server failed or is not there.
    """

    http: httpx.Client

    def _json(self, method: str, path: str, **options: Any) -> Any:
        raise NotImplementedError

    def models(self) -> list[Model]:
        """Models that jobs may name, but torchvision's."""
        found: list[Model] = self._json("GET", "/models")["models"]
        return found

    def model(self, name: str) -> Model:
        """A model, and if it is registered its versions and aliases."""
        found: Model = self._json("GET", f"/models/{_quoted(name)}")
        return found

    def add_model(
        self,
        folder: Path,
        name: str | None = None,
        *,
        version: str | None = None,
        alias: str | None = None,
        on_bytes: Callable[[int, int], None] = lambda sent, of: None,
    ) -> ModelVersion:
        """Register a bundle as a version that never changes; the same files again are the same one.

        Its description, weights and evaluation are sent, and no graph. The key must have the scopes
        ``read`` and ``submit``, too.

        Args:
            folder: the bundle's.
            name: the model's; None: the folder's.
            version: None: the next number.
            alias: to point at it then.
            on_bytes: told how many of its bytes are there, and how many it has.
        """
        name = name or folder.resolve().name
        asked = {"name": name, "version": version, "alias": alias}
        with TemporaryDirectory(prefix="geogaze-model-") as scratch:
            packed = Path(scratch) / f"bundle{SUFFIX}"
            pack(folder, packed)
            upload: Document = Sending(self._json, self.http, packed, on_bytes).run()
        body = {key: value for key, value in asked.items() if value is not None}
        added: ModelVersion = self._json(
            "POST", "/models", json={**body, "upload": upload["id"]}, timeout=_ADD_SECONDS
        )
        return added

    def set_alias(self, name: str, alias: str, version: str) -> ModelVersion:
        """Let an alias point at a version, or where another alias does; ``default`` is what the
        name alone means.
        """
        address = f"/models/{_quoted(name)}/aliases/{_quoted(alias)}"
        pointed: ModelVersion = self._json("PUT", address, json={"version": version})
        return pointed

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias."""
        self._json("DELETE", f"/models/{_quoted(name)}/aliases/{_quoted(alias)}")

    def remove_model(self, name: str, version: str) -> None:
        """Remove a version, unless aliases or unfinished jobs need it."""
        self._json("DELETE", f"/models/{_quoted(name)}/versions/{_quoted(version)}")


def _quoted(word: str) -> str:
    return quote(word, safe="")
