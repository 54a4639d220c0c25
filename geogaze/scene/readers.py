"""The formats of scenes: one file beside this one and one line in this table for each."""

from __future__ import annotations

from dataclasses import dataclass

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import SceneReplaced, SceneUnreadable
from geogaze.scene.advice import why_no_scene
from geogaze.scene.decoders import is_ranged
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import SceneReader
from geogaze.scene.source import Source, check_version


@dataclass(frozen=True)
class Format:
    """A format, and how a source of it is recognised: by any of what is given here.

    ``reader`` is the class, a :class:`geogaze.scene.reader.SceneReader` that takes a
    :class:`geogaze.scene.source.Source`. ``schemes`` of addresses (``stac`` of ``stac://…``) and
    ``suffixes`` of names (``.zarr``) are known without looking; ``starts`` are first bytes.
    ``ranged`` is the class for jobs whose plan says that async-tiff decodes, where there is one.
    """

    name: str
    reader: str
    ranged: str = ""
    schemes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    starts: tuple[bytes, ...] = ()

    def named_by(self, uri: str) -> bool:
        """Whether an address says that it is of this format."""
        scheme, separator, _ = uri.partition("://")
        by_scheme = bool(separator) and scheme.lower() in self.schemes
        return by_scheme or uri.lower().endswith(self.suffixes)


READERS: tuple[Format, ...] = (
    Format(
        "GeoTIFF",
        "geogaze.scene.geotiff:GeoTiff",
        ranged="geogaze.scene.tiled:TiledGeoTiff",
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
)


def open_reader(
    uri: str,
    policy: SourcePolicy,
    settings: Settings,
    *,
    version: str | None = None,
    decoder: str | None = None,
) -> SceneReader:
    """Open a scene, by its format's reader; use it in a ``with`` block.

    Args:
        uri: as the user named it.
        policy: where scenes may come from.
        settings: caps, and how long others may take.
        version: the one that the scene must have; it must keep the one that it has in any case.
        decoder: what the job's plan says that decodes its pixels; None leaves it to the format.

    Raises:
        SceneUnreadable: not allowed, missing, of no known format, or over the operator's caps.
        SceneAway: its host or store does not answer.
        SceneReplaced: it has another version.
        DecoderMissing: the decoder is not installed.
    """
    ranged = is_ranged(decoder)
    source = Source(uri, policy, settings, version)
    known = _format_of(source)
    reader: SceneReader = resolve((ranged and known.ranged) or known.reader)(source)
    try:
        check_version(uri, version, reader.version)
    except SceneReplaced:
        reader.close()
        raise
    return reader


def load_readers() -> None:
    """Import all readers, so that one that is missing shows before there is any work.

    Raises:
        LookupError: the table names a reader that is not there.
    """
    for known in READERS:
        for reader in filter(None, (known.reader, known.ranged)):
            resolve(reader)


def _format_of(source: Source) -> Format:
    for known in READERS:
        if known.named_by(source.uri):
            return known
    for known in READERS:
        if source.seen.start.startswith(known.starts):
            return known
    why = why_no_scene(source.seen.start)
    raise SceneUnreadable(f"{source.uri!r} cannot be opened as a GeoTIFF. {why}")
