"""Whether a bundle's files are those that its description names, by their hashes."""

from __future__ import annotations

from dataclasses import dataclass

from geogaze.errors import InvalidBundle
from geogaze.files import file_sha256
from geogaze.models.bundles import GRAPH_FILE, WEIGHTS_FILE, Bundle

_SHA256 = "sha256:"


@dataclass(frozen=True)
class Checked:
    """A file of a bundle: its name, size in bytes, and sha256 in hex as the description has it."""

    file: str
    bytes: int
    sha256: str


def weights_sha256(bundle: Bundle) -> str | None:
    """The sha256 of a bundle's weights in hex; None of published ones, which have another name."""
    known = bundle.weights.startswith(_SHA256)
    return bundle.weights.removeprefix(_SHA256) if known else None


def weights_bytes(bundle: Bundle) -> int | None:
    """The size of a bundle's weights; None where they do not lie here."""
    path = bundle.folder / WEIGHTS_FILE if bundle.folder else None
    return path.stat().st_size if path and path.is_file() else None


def check(bundle: Bundle) -> list[Checked]:
    """Read each file of a bundle and compare it with what the description says.

    Raises:
        InvalidBundle: one is missing or another; or the bundle has no files here.
    """
    if bundle.folder is None:
        raise InvalidBundle(
            f"{bundle.name!r} is one of torchvision's: its weights are fetched and checked by that."
        )
    wanted = {WEIGHTS_FILE: bundle.weights, GRAPH_FILE: bundle.graph}
    found = []
    for file, said in wanted.items():
        if said is None:
            continue
        path = bundle.folder / file
        if not path.is_file():
            raise InvalidBundle(f"{path} is missing: bring the bundle anew.")
        if (stored := f"{_SHA256}{file_sha256(path)}") != said:
            raise InvalidBundle(
                f"{path} is {stored}, and the bundle says {said}: it was changed or damaged. "
                "Bring the bundle anew."
            )
        found.append(Checked(file, path.stat().st_size, said.removeprefix(_SHA256)))
    return found
