"""Which of a scene's bands are the model's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from geogaze.errors import SceneUnusable

# Sentinel-2's numbers, which Landsat 8 and 9 share in the visible.
_CODES = {"b2": "blue", "b3": "green", "b4": "red", "b8": "nir"}
_SHORT = {"r": "red", "g": "green", "b": "blue"}
_NOT_A_NAME = re.compile(r"\d+(\.\d+)?|b\d+a?|band|channel|nm|um|µm|sr|toa|boa|reflectance|surface")
_CODE = re.compile(r"b0?(\d{1,2}a?)")


class BandLabel(NamedTuple):
    """What a scene says of a band.

    ``colour`` is GDAL's word for how it is shown: ``red``, ``alpha``, ``palette``, ``undefined``.
    """

    description: str = ""
    colour: str = "undefined"

    @property
    def is_alpha(self) -> bool:
        """Whether the band says how opaque the others are."""
        return self.colour == "alpha" or self.description.strip().casefold() == "alpha"


def choose_bands(
    uri: str, labels: Sequence[BandLabel], names: Sequence[str], asked: Sequence[int] | None
) -> tuple[tuple[int, ...], str]:
    """The scene's bands (from 1) for a model's, and what made the choice.

    Bands that are asked for, else those whose descriptions are the model's names or name the same
    colour or number (``red``, ``B04``), else those whose colour interpretation does, else the
    first that are not alpha.

    Args:
        uri: the scene.
        labels: what it says of each of its bands.
        names: the model's bands, in order.
        asked: those of the scene that the user wants for them.

    Raises:
        SceneUnusable: too few bands, bands that are not there, or palette indices.
    """
    chosen, why = _choose(uri, labels, names, asked)
    if any(labels[band - 1].colour == "palette" for band in chosen):
        raise SceneUnusable(
            f"{uri!r} stores palette indices, not colours. Expand it with "
            "'gdal_translate -expand rgb' first."
        )
    return chosen, why


def _choose(
    uri: str, labels: Sequence[BandLabel], names: Sequence[str], asked: Sequence[int] | None
) -> tuple[tuple[int, ...], str]:
    if asked is not None:
        if len(asked) != len(names) or not all(1 <= band <= len(labels) for band in asked):
            raise SceneUnusable(
                f"Bands {list(asked)} do not fit: the model takes {len(names)} "
                f"({', '.join(names)}) and {uri!r} has bands 1 to {len(labels)}."
            )
        return tuple(asked), "given"
    plain = [band for band, label in enumerate(labels, 1) if not label.is_alpha]
    if len(plain) < len(names):
        raise SceneUnusable(
            f"{uri!r} has {len(plain)} band(s), but the model takes {len(names)} "
            f"({', '.join(names)}). Choose some, also repeatedly: --bands "
            f"{','.join(['1'] * len(names))}."
        )
    descriptions = [labels[band - 1].description for band in plain]
    by_colour = [named_in(name) or coded_in(name) or name for name in names]
    ways: tuple[tuple[str, Sequence[str], Iterable[str | None]], ...] = (
        ("descriptions", [_plain(name) for name in names], map(_plain, descriptions)),
        ("descriptions", [code_of(name) or name for name in names], map(code_of, descriptions)),
        ("descriptions", by_colour, map(named_in, descriptions)),
        ("descriptions", by_colour, map(coded_in, descriptions)),
        ("colours", by_colour, (labels[band - 1].colour for band in plain)),
    )
    for why, wanted, offered in ways:
        bands = _first(zip(plain, offered, strict=True))
        if len(set(wanted)) == len(names) and all(name in bands for name in wanted):
            return tuple(bands[name] for name in wanted), why
    return tuple(plain[: len(names)]), "position"


def _plain(name: str) -> str:
    return name.strip().casefold()


def _first(named: Iterable[tuple[int, str | None]]) -> Mapping[str, int]:
    """The first band of each name: of two dates, say, the colours of one."""
    bands: dict[str, int] = {}
    for band, name in named:
        if name:
            bands.setdefault(name, band)
    return bands


def _words(description: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:\.\d+)?", description.casefold())


def named_in(description: str) -> str | None:
    """The one colour that a description names (``Band 4 - Red (665 nm)``), if it does.

    ``red edge`` and ``coastal blue`` are colours of their own.
    """
    words = [word for word in _words(description) if not _NOT_A_NAME.fullmatch(word)]
    return _SHORT.get(words[0], words[0]) if len(words) == 1 else None


def coded_in(description: str) -> str | None:
    """The colour that a band's number stands for (``B04``, ``sr_b4``), if it is a known one."""
    return _CODES.get(code_of(description) or "")


def code_of(description: str) -> str | None:
    """A band's number as sensors have it: ``b4`` of ``B04`` and ``sr_b4``, ``b8a`` of ``B8A``."""
    codes = [match for word in _words(description) if (match := _CODE.fullmatch(word))]
    return f"b{codes[0][1]}" if len(codes) == 1 else None
