"""Hosts of scenes: one that goes silent now and then, and one that never says a word."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from geogaze.client import Client
from geogaze.errors import RemoteError
from tests.hosts import Host, make_authority

_ANSWER_SECONDS = 20.0  # twice what the API is given to plan


class Hosts:
    """Serves the scenes of a folder.

    Args:
        folder: the scenes.
        environment: where to say that the hosts are to be trusted, and what is waited for.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority = make_authority(folder.parent, environment.__setitem__)
        self.far, self._mute = Host(folder, authority), Host(folder, authority)
        self._mute.mood = "silent"
        environment |= {
            "GEOGAZE_SOURCE_HOSTS": f'["{self.far.name}", "{self._mute.name}"]',
            "GEOGAZE_CONNECT_SECONDS": "2",
            "GEOGAZE_SILENCE_SECONDS": "3",
            "GEOGAZE_REQUEST_SECONDS": "10",
            "GEOGAZE_PLAN_SECONDS": "10",
        }
        self.counts = dict.fromkeys(
            ["silent_scenes_accepted", "silent_scenes_refused", "silent_answers_late"], 0
        )
        self._asking: threading.Thread | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for host in (self.far, self._mute):
            self._open.enter_context(host)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        if self._asking:
            self._asking.join()

    def ask_mute(self, api_url: str, key: str) -> None:
        """Ask for an explanation of a scene that never comes, unless one is being asked for."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, args=(api_url, key))
            self._asking.start()

    def ask_in_peace(self, api_url: str, key: str) -> None:
        """The same, of an API that lives, which must answer in time."""
        started = time.monotonic()
        self._ask(api_url, key)
        self.counts["silent_answers_late"] += time.monotonic() - started > _ANSWER_SECONDS

    def _ask(self, api_url: str, key: str) -> None:
        try:
            with Client(api_url, timeout=2 * _ANSWER_SECONDS, key=key) as client:
                client.submit({"scene": self._mute.uri("never.tif"), "model": "tiny"})
        except RemoteError:
            self.counts["silent_scenes_refused"] += 1
        else:
            self.counts["silent_scenes_accepted"] += 1
