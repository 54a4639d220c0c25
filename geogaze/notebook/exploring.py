"""A job's page in a notebook: served by this process, to browsers of this machine."""

from __future__ import annotations

import html
import threading
import weakref
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from geogaze.serving import BESIDE, FolderServer


class Shown(Protocol):
    """Opened results, as far as a map needs them."""

    @property
    def folder(self) -> Path:
        """Where they lie."""

    @property
    def item(self) -> dict[str, Any]:
        """Their STAC Item."""


class Explored:
    """A map of results, as :meth:`Results.explore` gives it: notebooks show it in a frame.

    It is served as long as this object lives, or until :meth:`close`.

    Attributes:
        url: the page's address, for a browser on this machine.

    Raises:
        InvalidRequest: the port is taken.
    """

    def __init__(
        self, results: Shown, beside: Shown | None, layer: str | None, height: int, port: int
    ) -> None:
        self._shown = (results, beside)  # downloaded ones go with the last who knows them
        self._height = height
        folders = {"": results.folder, **({BESIDE: beside.folder} if beside else {})}
        server = FolderServer(folders, port)
        link = {"layer": layer, "job": f"{BESIDE}/" if beside else None}
        said = urlencode({name: value for name, value in link.items() if value}, safe="/")
        self.url = server.url + (f"#{said}" if said else "")
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _end, server)
        self._end.atexit = False  # the thread ends with the process

    def close(self) -> None:
        """Serve it no more."""
        if ending := self._end():
            ending.join()
        self._thread.join()

    def __repr__(self) -> str:
        return f"Explored({self.url!r})"

    def _repr_html_(self) -> str:
        """A frame with the page, for notebooks."""
        title = html.escape(str(self._shown[0].item["properties"]["title"]))
        return (
            f'<iframe src="{html.escape(self.url)}" title="{title}" allowfullscreen '
            f'style="width:100%;height:{self._height}px;border:0;border-radius:8px"></iframe>'
        )


def _end(server: FolderServer) -> threading.Thread:
    """End a server from another thread: garbage may be collected on the one that serves."""

    def end() -> None:
        server.shutdown()
        server.server_close()

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    return ending
