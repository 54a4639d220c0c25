"""What an install may leave out, and the extra that brings it."""

from __future__ import annotations

from importlib.util import find_spec

from geogaze.errors import GeogazeError, Retry


class LibraryAbsent(GeogazeError):
    """Something needs a library that this machine's install leaves out; another may have it."""

    status = 400
    retry = Retry.ELSEWHERE
    slug = "library-absent"
    title = "A library is not installed"


def need(library: str, extra: str, what: str) -> None:
    """Refuse what cannot be done without a library, in one sentence; nothing is imported.

    Args:
        library: its name, as it is imported.
        extra: of geogaze, which brings it.
        what: is to be done.

    Raises:
        LibraryAbsent: it is not installed.
    """
    if find_spec(library) is None:
        raise LibraryAbsent(
            f"{what} needs {library}, which is not installed here: pip install 'geogaze[{extra}]'."
        )
