"""How scenes are called: files that a folder or a pattern names, and a scene's name for people."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path, PurePath

from geogaze.errors import SceneUnreadable

_RASTERS = {".tif", ".tiff", ".jp2", ".j2k"}
_PICTURES = {".png", ".jpg", ".jpeg"}
_WORLDS = {".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw", ".wld"}


def shown_name(uri: str) -> str:
    """A scene's name for people: its file's, without ending, nor what may be a signature."""
    return PurePath(uri.partition("?")[0] if "://" in uri else uri).stem


def spread(names: Iterable[str]) -> tuple[str, ...]:
    """Names with the files of folders and patterns (``north/*.tif``) in their places, in order.

    A folder's files are its GeoTIFFs and JPEG 2000 files, and pictures that have a world file; a
    folder in it is not looked into. A file whose own name looks like a pattern is that file.

    Raises:
        SceneUnreadable: a folder or a pattern has no such file.
    """
    return tuple(file for name in names for file in _files(name))


def _files(name: str) -> list[str]:
    if "://" in name:
        return [name]
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            return _inside(name, path)
        if path.exists() or not glob.has_magic(name):
            return [name]
        root = Path(path.anchor or ".")
        found = sorted(map(str, root.glob(str(path.relative_to(path.anchor)))))
    except (OSError, ValueError):
        return [name]  # the policy says it better
    files = [file for file in found if Path(file).suffix.lower() not in _WORLDS | {".xml"}]
    if not files:
        raise SceneUnreadable(f"No file is called as {name!r} says.")
    return files


def _inside(name: str, folder: Path) -> list[str]:
    there = sorted(path for path in folder.iterdir() if path.is_file())
    worlds = {path.stem for path in there if path.suffix.lower() in _WORLDS}
    pictures = [path for path in there if path.suffix.lower() in _PICTURES]
    rasters = [path for path in there if path.suffix.lower() in _RASTERS]
    files = sorted([*rasters, *(path for path in pictures if path.stem in worlds)])
    if files:
        return [str(path) for path in files]
    if pictures:
        raise SceneUnreadable(
            f"{name!r} holds {len(pictures):,} pictures without a place on the map, such as "
            f"{pictures[0].name!r}: they are no scene. 'geogaze image {name}' explains each by "
            "itself."
        )
    below = next((path.name for path in sorted(folder.iterdir()) if path.is_dir()), None)
    more = (
        f"; of the folders in it, name one ({below!r}) or all ('{name}/*/*.tif')" if below else ""
    )
    raise SceneUnreadable(f"{name!r} is a folder without a GeoTIFF or JPEG 2000 file{more}.")
