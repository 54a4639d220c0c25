"""What a user says of a network besides the network, and which of its classes are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Probabilities, check_classes
from geogaze.models.targets import Classifier, Target, layer_names, own, parse_target
from geogaze.networks.bundling import IMAGENET_MEAN, IMAGENET_STD
from geogaze.networks.layouts import AsMaps

_NEGATIVE = re.compile(r"-\d+")


@dataclass(frozen=True)
class Said:
    """What ``geogaze.explain`` was told of a network; None where nothing was. ``temperature`` is a
    bundle's, if it is of one.
    """

    layer: str | None = None
    as_maps: AsMaps | None = None
    class_names: Sequence[str] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    rule: Probabilities | None = None
    size: int | None = None
    temperature: float = 1

    def refuse_for_bundle(self) -> None:
        """Refuse what a bundle says itself.

        Raises:
            InvalidRequest: names it.
        """
        says = {
            "class_names": self.class_names,
            "mean": self.mean,
            "std": self.std,
            "probabilities": self.rule,
        }
        if given := [name for name, value in says.items() if value is not None]:
            raise InvalidRequest(
                f"{', '.join(given)}: for modules only; a model by name says that itself."
            )

    def normalisation(self, bands: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each band.

        Raises:
            InvalidRequest: there are not as many.
        """
        mean = tuple(IMAGENET_MEAN if self.mean is None else self.mean)
        std = tuple(IMAGENET_STD if self.std is None else self.std)
        if not all(value > 0 for value in std):
            raise InvalidRequest(f"std: values above 0, not {std}.")
        if not len(mean) == len(std) == bands:
            raise InvalidRequest(
                f"There are {bands} bands, but {len(mean)} values of mean and {len(std)} of std: "
                "give mean= and std=, one value for each band, or normalised=True."
            )
        return mean, std

    def names_for(self, count: int) -> tuple[str, ...]:
        """Names of so many logits.

        Raises:
            InvalidRequest: other than so many were given, or they cannot be told apart.
        """
        names = tuple(map(str, range(count))) if self.class_names is None else self.class_names
        if isinstance(names, str | Mapping) or not all(isinstance(name, str) for name in names):
            raise InvalidRequest("class_names: a list of words, in the order of the logits.")
        if len(names) != count:
            raise InvalidRequest(f"The model has {count} classes, but class_names {len(names)}.")
        try:
            check_classes(tuple(names))
        except ValueError as error:
            raise InvalidRequest(f"class_names: {error}.") from error
        return tuple(names)


@dataclass(frozen=True)
class Named:
    """A network that is no bundle, as messages call it."""

    name: str
    classes: tuple[str, ...]


def asked(classes: str | Sequence[str | int]) -> str | list[str]:
    """``all``, ``top``, or the names of what is asked for.

    Raises:
        InvalidRequest: it is none of them.
    """
    if isinstance(classes, str):
        return classes if classes in {"all", "top"} else [classes]
    if isinstance(classes, int) or not isinstance(classes, Iterable):
        raise InvalidRequest(f"classes: 'all', 'top', or a list of names, not {classes!r}.")
    names = [str(name) for name in classes]
    if not names:
        raise InvalidRequest("classes: it names none.")
    if negative := [name for name in names if _NEGATIVE.fullmatch(name)]:
        raise InvalidRequest(f"classes: positions count from 0, not from the end: {negative[0]}.")
    return names


def scores(wanted: str | list[str], model: Classifier, best: int) -> tuple[Target, ...]:
    """The scores to explain.

    Args:
        wanted: from :func:`asked`.
        model: whose classes are meant.
        best: the position of the best class.

    Raises:
        UnknownClass: the model has no such class.
    """
    if wanted == "all":
        return own(range(len(model.classes)))
    if wanted == "top":
        return own([best])
    return tuple(parse_target(name, model) for name in layer_names(wanted, model))
