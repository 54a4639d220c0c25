"""Prometheus over a stack on one machine, with the rules that are shipped."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import httpx

from infra.services.server import LOOPBACK, Server, ServiceError

WATCH = Path(__file__).parent / "watch"
SCRAPE_SECONDS = 15
"""What windows of the rules are made for."""

_UNITS = {"s": 1, "m": 60, "h": 3600}
_WINDOW = re.compile(r"(\[|for: )(\d+)([smh])")
_AGE = re.compile(r"(geogaze_queue_age_seconds\{[^}]*\}\) > )(\d+)")


class Prometheus(Server):
    """The ``prometheus`` on the path, as Debian has it.

    Args:
        folder: The server's own folder.
        scraped: Where it finds what it looks at, by its jobs: ``HOST:PORT``.
        quicker: By how many times it looks more often, and by which all that rules wait for is
            shorter: 1 is as it is run for good, 15 looks each second.
        port: The loopback port to listen on; a free one if not given.
    """

    name: ClassVar[str] = "prometheus"

    def __init__(
        self,
        folder: Path,
        scraped: Mapping[str, Sequence[str]],
        *,
        quicker: int = 1,
        port: int | None = None,
    ) -> None:
        super().__init__(folder, port=port)
        self._scraped = scraped
        self._quicker = quicker

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        rules = (WATCH / "alerts.yml").read_text(encoding="utf-8")
        (self.folder / "alerts.yml").write_text(shortened(rules, self._quicker), encoding="utf-8")
        every = f"{SCRAPE_SECONDS // self._quicker}s"
        config = {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": every,
                "evaluation_interval": every,
            },
            "rule_files": ["alerts.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                for job, targets in self._scraped.items()
            ],
        }
        # JSON is YAML too.
        (self.folder / "prometheus.yml").write_text(json.dumps(config, indent=1), encoding="utf-8")

    def _command(self) -> list[str]:
        binary = shutil.which("prometheus")
        if binary is None:
            raise ServiceError("no prometheus on the path: infra/apt-install.sh prometheus")
        return [
            binary,
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]

    def _unready(self) -> str | None:
        try:
            httpx.get(f"{self.url}/-/ready", timeout=5, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            return str(error)
        return None


def shortened(rules: str, times: int) -> str:
    """Rules whose windows, waits and ages are so many times shorter, in whole seconds."""

    def window(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _UNITS[found[3]]
        return f"{found[1]}{max(1, seconds // times)}s"

    def age(found: re.Match[str]) -> str:
        return f"{found[1]}{max(1, int(found[2]) // times)}"

    return rules if times == 1 else _AGE.sub(age, _WINDOW.sub(window, rules))
