"""Options that describe a network to be imported or trained, and what they become."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import typer

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Probabilities, Ranges

_COLOURS = ("red", "green", "blue")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

ArchOption = Annotated[
    str, typer.Option("--arch", help="A torchvision architecture, or an entry point's name.")
]
GsdTrainOption = Annotated[
    float | None, typer.Option(help="Metres per pixel at the model's input size.")
]
InputSizeOption = Annotated[int, typer.Option(min=32, help="Pixels per side of a model input.")]
BandsOption = Annotated[
    str | None,
    typer.Option(help="Names of the model's bands, in order: B04,B03,B02. Default: red,green,blue"),
]
MeanOption = Annotated[
    str | None,
    typer.Option(help="Mean of each band, of values in 0..1. Default: ImageNet's, of three."),
]
StdOption = Annotated[
    str | None, typer.Option(help="Standard deviation of each band. Default: ImageNet's, of three.")
]
RescaleOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Values that become 0 and 1, LO,HI; repeat it for one range per band. A model keeps "
        "them for runs that say none."
    ),
]
TaskOption = Annotated[
    Probabilities | None,
    typer.Option(
        "--task",
        "--probabilities",
        help="How scores become probabilities. softmax: one class is right; sigmoid: each by "
        "itself; none: no such. Default: sigmoid of one class, else softmax.",
    ),
]


@dataclass(frozen=True)
class Input:
    """What a network takes: names, means and deviations of its bands, of values in 0..1, and which
    values become these; None where each run is to see for itself.
    """

    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: Ranges | None


def described_input(
    bands: str | None, mean: str | None, std: str | None, rescale: list[str] | None
) -> Input:
    """The input that the options describe.

    Raises:
        InvalidRequest: a value does not parse, or there are not as many of all.
    """
    means, deviations = _numbers("--mean", mean), _numbers("--std", std)
    names = _names(bands) if bands is not None else None
    count = len(names or means or deviations or _COLOURS)
    if names is None:
        names = _COLOURS if count == len(_COLOURS) else tuple(f"band-{i + 1}" for i in range(count))
    if count == len(_COLOURS):
        means, deviations = means or _IMAGENET[0], deviations or _IMAGENET[1]
    if not (means and deviations and len(means) == len(deviations) == count):
        said = " and ".join(
            str(len(values)) if values else "none" for values in (means, deviations)
        )
        raise InvalidRequest(
            f"--mean and --std take one number for each of {count} band(s) ({', '.join(names)}), "
            f"not {said}."
        )
    if not all(value > 0 for value in deviations):
        raise InvalidRequest(f"--std takes numbers above 0, not {std}.")
    return Input(names, means, deviations, ranges_of(rescale, count))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(word.strip() for word in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise InvalidRequest(f"--bands takes names such as B04,B03,B02, each once, not {text!r}.")
    return names


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise InvalidRequest(f"{option} takes numbers and commas, such as 0.5,0.5, not {text!r}.")
    return values


def numbers_of(text: str) -> tuple[int, ...]:
    """The bands of a file, from 1, that ``--bands`` names.

    Raises:
        InvalidRequest: they are no numbers.
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise InvalidRequest(f"--bands takes numbers such as 4,3,2, not {text!r}.") from error


def ranges_of(texts: list[str] | None, bands: int) -> Ranges | None:
    """The values of each band that become 0 and 1; None where nobody says.

    Raises:
        InvalidRequest: no pairs, empty ones, or neither one nor one for each band.
    """
    if not texts:
        return None
    pairs = [_numbers("--rescale", text) or () for text in texts]
    ranges = tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2 and pair[0] < pair[1])
    if len(ranges) < len(texts) or len(ranges) not in {1, bands}:
        raise InvalidRequest(
            f"--rescale takes LO,HI with LO below HI, once or once for each of {bands} band(s), "
            f"not {' '.join(texts)}."
        )
    return ranges * bands if len(ranges) == 1 else ranges
