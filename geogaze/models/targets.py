"""What evidence is asked for: a class, one class rather than another, or all but a class.

A score is linear in the logits, so its evidence costs no more than a class's own: the map of
``airplane vs runway`` is the map of the difference of the two logits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geogaze.errors import UnknownClass
from geogaze.models.bundles import Bundle, Rule

Target = tuple[int | None, int | None]
"""``(plus, minus)``: the score logit[plus] - logit[minus], where None leaves a term out."""

_LEAST: dict[Rule, float] = {"sigmoid": 0.5, "shares": 1e-9}


def least(rule: Rule) -> float | None:
    """The least probability, or share of pixels, of a class that is there; None where one class
    alone is right, or nothing is said of classes.
    """
    return _LEAST.get(rule)


class Classifier(Protocol):
    """What is asked for evidence: a bundle, or a network that is none."""

    @property
    def name(self) -> str:
        """How messages call it."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its logits, in order."""
        ...


_VERSUS = re.compile(r"\svs\s", re.IGNORECASE)
_NOT = re.compile(r"not\s", re.IGNORECASE)
_OFFERED = 3
_LISTED = 10


def parse_target(name: str, model: Classifier) -> Target:
    """The target that a layer's name stands for.

    ``ship`` is the class's own score, ``ship vs harbor`` the evidence for one class rather than
    the other, ``not ship`` the evidence against a class (Selvaraju et al. 2017, "counterfactual
    explanations"). A class that is itself called so comes first. Case, spaces, hyphens and
    underscores do not matter, and a number is a class's position where no class is called so.

    Raises:
        UnknownClass: the model has no such class.
    """
    terms = _terms(name, model)
    if missing := _missing(terms, model):
        raise _unknown(missing, model)
    plus, minus = (None if term is None else _position(term, model) for term in terms)
    return plus, minus


def layer_names(names: Iterable[str], model: Classifier) -> tuple[str, ...]:
    """Layers' names as the model spells its classes, each once.

    Raises:
        UnknownClass: names all that are no classes, with near ones.
    """
    names = tuple(names)
    if missing := _missing([term for name in names for term in _terms(name, model)], model):
        raise _unknown(missing, model)
    return tuple(dict.fromkeys(spelled(parse_target(name, model), model) for name in names))


def _terms(name: str, model: Classifier) -> tuple[str | None, str | None]:
    """The class names in a layer's name: what speaks for it, and what against."""
    if _named(name, model) is None:
        if versus := _VERSUS.search(name):
            return name[: versus.start()].strip(), name[versus.end() :].strip()
        if negation := _NOT.match(name.lstrip()):
            return None, name.lstrip()[negation.end() :].strip()
    return name, None


def _missing(terms: Iterable[str | None], model: Classifier) -> list[str]:
    given = dict.fromkeys(term for term in terms if term is not None)
    return [term for term in given if _position(term, model) is None]


def spelled(target: Target, model: Classifier) -> str:
    """A target's name, with its classes as the model spells them."""
    plus, minus = (None if at is None else model.classes[at] for at in target)
    if plus is None:
        return f"not {minus}"
    return plus if minus is None else f"{plus} vs {minus}"


def _key(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", name.casefold()).split())


def _named(name: str, model: Classifier) -> int | None:
    """The position of the class of this name, spelled so or nearly so."""
    if name in model.classes:
        return model.classes.index(name)
    key = _key(name)
    alike = [at for at, known in enumerate(model.classes) if _key(known) == key]
    return alike[0] if len(alike) == 1 and key else None


def _position(name: str, model: Classifier) -> int | None:
    position = _named(name, model)
    number = name.strip()
    if position is None and number.isdecimal() and int(number) < len(model.classes):
        return int(number)
    return position


def _unknown(names: Sequence[str], model: Classifier) -> UnknownClass:
    unknown = []
    for name in names:
        near = ", ".join(map(repr, _nearest(name, model.classes)))
        unknown.append(f"{name!r}{f' (did you mean {near}?)' if near else ''}")
    shown = f"'geogaze models show {model.name}' lists all {len(model.classes)}."
    if not isinstance(model, Bundle):
        few = ", ".join(map(repr, model.classes[:_LISTED]))
        more = len(model.classes) - _LISTED
        shown = f"It has {few}{f' and {more:,} more' if more > 0 else ''}."
    return UnknownClass(f"Model {model.name!r} has no class {'; nor '.join(unknown)}. {shown}")


def _nearest(name: str, classes: Sequence[str]) -> list[str]:
    known = {_key(known): known for known in classes}
    return [known[key] for key in get_close_matches(_key(name), known, n=_OFFERED, cutoff=0.5)]


def own(indices: Sequence[int]) -> tuple[Target, ...]:
    """The targets of classes' own scores."""
    return tuple((index, None) for index in indices)


def probabilities(
    logits: NDArray[np.float32], rule: Rule = "softmax", temperature: float = 1
) -> NDArray[np.float32]:
    """Class probabilities (n, classes) of logits (n, classes); NaN where the model gives none.

    Logits are divided by ``temperature`` before. Shares of pixels are what they are.
    """
    if rule == "shares":
        return logits
    if rule == "none":
        return np.full_like(logits, np.nan)
    logits = logits / np.float32(temperature)
    if rule == "sigmoid":
        with np.errstate(invalid="ignore"):  # of a score that is no number, neither is this
            logistic: NDArray[np.float32] = np.exp(-np.logaddexp(0, -logits, dtype=np.float32))
        return logistic
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def target_probability(
    share: NDArray[np.float32], target: Target, rule: Rule = "softmax"
) -> NDArray[np.float32]:
    """How probable a target is (n,), by the class probabilities ``share`` (n, classes).

    A class's own probability, or that it is not the class. Of two classes, that it is the first,
    given that it is one of them and not both: the logistic function of the difference of their
    logits (by the temperature), whether classes exclude each other (softmax) or not (sigmoid), and
    a half where probabilities as near to 0 or 1 as float32 gets leave nothing to choose by. NaN
    where the model gives no probabilities. Of shares of pixels likewise: of those that are of one
    of the two.
    """
    plus, minus = target
    if plus is None:
        result: NDArray[np.float32] = 1 - share[:, minus]
    elif minus is None:
        result = share[:, plus]
    elif rule == "none":
        result = np.full_like(share[:, plus], np.nan)
    else:
        first, second = share[:, plus], share[:, minus]
        if rule == "sigmoid":
            first, second = first * (1 - second), second * (1 - first)
        either = first + second
        result = np.divide(
            first, either, out=np.full_like(either, 0.5), where=either > 0, dtype=np.float32
        )
    return result
