"""The formats of scenes: one file beside this one and one line in this table for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import SceneReplaced, SceneUnreadable
from geogaze.scene.advice import BLANK, why_no_scene
from geogaze.scene.decoders import is_ranged
from geogaze.scene.info import SceneInfo
from geogaze.scene.parts import Part, Parts
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import SceneReader
from geogaze.scene.reading import Reading
from geogaze.scene.source import Source, check_version


@dataclass(frozen=True)
class Format:
    """A format, and how a source of it is recognised: by any of what is given here.

    ``reader`` is the class, a :class:`geogaze.scene.reader.SceneReader` that takes a
    :class:`geogaze.scene.source.Source`. ``schemes`` of addresses (``stac`` of ``stac://…``) and
    ``suffixes`` of names (``.zarr``) are known without looking; ``starts`` are first bytes.
    ``ranged`` is the class for jobs whose plan says that async-tiff decodes, where there is one.

    A format that GDAL reads says by which ``driver``, so that a file of it may be one of several in
    a scene. A document that names files says by ``parts`` which: a function of its source and the
    model's band names that gives :class:`geogaze.scene.parts.Parts`.
    """

    name: str
    reader: str
    ranged: str = ""
    driver: str = ""
    parts: str = ""
    schemes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    starts: tuple[bytes, ...] = ()

    def named_by(self, uri: str) -> bool:
        """Whether an address says that it is of this format."""
        scheme, separator, _ = uri.partition("://")
        by_scheme = bool(separator) and scheme.lower() in self.schemes
        return by_scheme or uri.lower().endswith(self.suffixes)


_SEVERAL = "geogaze.scene.several:Several"

READERS: tuple[Format, ...] = (
    Format(
        "GeoTIFF",
        "geogaze.scene.geotiff:GeoTiff",
        ranged="geogaze.scene.tiled:TiledGeoTiff",
        driver="GTiff",
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
    Format(
        "JPEG 2000",
        "geogaze.scene.jpeg2000:Jpeg2000",
        driver="JP2OpenJPEG",
        starts=(b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51"),
    ),
    # What these do not say of themselves is said by a world file and the user.
    Format("PNG", _SEVERAL, driver="PNG", starts=(b"\x89PNG",)),
    Format("JPEG", _SEVERAL, driver="JPEG", starts=(b"\xff\xd8\xff",)),
    Format("VRT", _SEVERAL, parts="geogaze.scene.vrt:parts_of", starts=(b"<VRTDataset", b"<?xml")),
    Format("STAC", _SEVERAL, parts="geogaze.scene.items:parts_of", starts=(b"{",)),
)


def open_reader(
    uri: str | Sequence[str],
    policy: SourcePolicy,
    settings: Settings,
    *,
    version: str | None = None,
    decoder: str | None = None,
    reading: Reading | None = None,
) -> SceneReader:
    """Open a scene, by its format's reader; use it in a ``with`` block.

    Args:
        uri: as the user named it, or several that are one scene.
        policy: where scenes may come from.
        settings: caps, and how long others may take.
        version: the one that the scene must have; it must keep the one that it has in any case.
        decoder: what the job's plan says that decodes its pixels; None leaves it to the format.
        reading: how it is to be read.

    Raises:
        SceneUnreadable: not allowed, missing, of no known format, or over the operator's caps.
        SceneAway: its host or store does not answer.
        SceneReplaced: it has another version.
        DecoderMissing: the decoder is not installed.
    """
    ranged = is_ranged(decoder)
    names = [uri] if isinstance(uri, str) else uri
    sources = [Source(name, policy, settings, version, reading) for name in names]
    source = sources[0]
    if len(sources) > 1 or source.reading != Reading():
        several: SceneReader = resolve(_SEVERAL)(*sources)
        return several
    known = _format_of(source)
    reader: SceneReader = resolve((ranged and known.ranged) or known.reader)(source)
    try:
        check_version(source.uri, version, reader.version)
    except SceneReplaced:
        reader.close()
        raise
    return reader


def open_planned_scene(scene: SceneInfo, policy: SourcePolicy, settings: Settings) -> SceneReader:
    """Open a scene as it was when it was described; use it in a ``with`` block.

    Raises as ``open_reader`` does.
    """
    if not scene.pieces:
        return open_reader(
            scene.uri, policy, settings, version=scene.version, decoder=scene.decoder
        )
    is_ranged(scene.decoder)
    reader: SceneReader = resolve(_SEVERAL).planned(scene, policy, settings)
    return reader


def parts_of(source: Source, band_names: Sequence[str]) -> Parts:
    """The files that a source stands for: itself, or those that it names.

    Args:
        source: a file, or a document.
        band_names: the model's bands.

    Raises:
        SceneUnreadable: it is neither.
    """
    known = _format_of(source)
    if not known.parts:
        driver_of(source)
        return Parts((Part(source.uri),))
    found: Parts = resolve(known.parts)(source, band_names)
    return found


def driver_of(source: Source) -> str:
    """The one driver of GDAL that may open a file, by how it starts.

    Raises:
        SceneUnreadable: GDAL does not read its format here.
    """
    known = _format_of(source)
    if not known.driver:
        raise SceneUnreadable(
            f"{source.uri!r} ({known.name}) cannot be one of a scene's files: name those that it "
            "is made of, or explain it by itself."
        )
    return known.driver


def load_readers() -> None:
    """Import all readers, so that one that is missing shows before there is any work.

    Raises:
        LookupError: the table names a reader that is not there.
    """
    for known in READERS:
        for reader in filter(None, (known.reader, known.ranged, known.parts)):
            resolve(reader)


def _format_of(source: Source) -> Format:
    for known in READERS:
        if known.named_by(source.uri):
            return known
    start = source.seen.start
    for known in READERS:  # texts may begin with a mark of their order, or with space
        if start.startswith(known.starts) or start.lstrip(BLANK).startswith(known.starts):
            return known
    why = why_no_scene(start)
    raise SceneUnreadable(f"{source.uri!r} cannot be opened as a GeoTIFF. {why}")
