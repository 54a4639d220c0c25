"""Conditions on which an audit fails, for CI, and what became of them as JUnit has it. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from geogaze.errors import InvalidRequest

Document = dict[str, Any]

_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_FORM = re.compile(r"\s*(\w+)\s*\[(.+)\]\s*(<=|>=|<|>)\s*(\S+)\s*")
_CAUSAL = ("ratio", "ratio_filled", "rise", "drop", "control", "alone", "stays")
FIGURES = ("energy_share", "area_share", "enrichment", "pointing", "forecast", *_CAUSAL)


@dataclass(frozen=True)
class Gate:
    """A condition such as ``enrichment[airplane]<2``: ``text`` as it was said, its parts."""

    text: str
    figure: str
    name: str
    sign: str
    limit: float


@dataclass(frozen=True)
class Passed:
    """A gate and the ``value`` it was held against; ``failed`` where its condition is met, or where
    there is no value, of which nothing can be promised.
    """

    gate: Gate
    value: float | None
    failed: bool

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        gate = self.gate
        if self.value is None:
            return f"{gate.text}: {gate.figure} of {gate.name} has no value here."
        return f"{gate.text}: {gate.figure} of {gate.name} is {self.value:.4g}."


def parse_gate(text: str, name: str) -> Gate:
    """A condition of text.

    Args:
        text: ``FIGURE[CLASS]`` with ``<``, ``<=``, ``>`` or ``>=`` and a number.
        name: the class that is audited.

    Raises:
        InvalidRequest: it is none, or of another figure or class.
    """
    found = _FORM.fullmatch(text)
    try:
        limit = float(found[4]) if found else float("nan")
    except ValueError:
        limit = float("nan")
    if found is None or found[1] not in FIGURES or math.isnan(limit):
        raise InvalidRequest(
            f"--fail-if {text!r}: FIGURE[CLASS]<NUMBER, as in 'enrichment[{name}]<2', with a "
            f"figure of {', '.join(FIGURES)}."
        )
    if found[2].strip().casefold() != name.casefold():
        raise InvalidRequest(f"--fail-if {text!r}: this is an audit of {name!r}.")
    return Gate(text.strip(), found[1], name, found[3], limit)


def value_of(one: Document, figure: str) -> float | None:
    """A figure of a class in an audit's document."""
    value: float | None = _holder(one, figure)[figure]
    return value


def interval_of(one: Document, figure: str) -> list[float] | None:
    """Its interval."""
    ends: list[float] | None = _holder(one, figure)[f"{figure}_interval"]
    return ends


def _holder(one: Document, figure: str) -> Document:
    held: Document = one["causal"] if figure in _CAUSAL else one
    return held


def passed(document: Document, gates: Sequence[Gate]) -> list[Passed]:
    """What became of each gate, by an audit's document."""
    found = []
    for gate in gates:
        value = value_of(document["classes"][gate.name], gate.figure)
        failed = value is None or _COMPARED[gate.sign](value, gate.limit)
        found.append(Passed(gate, value, bool(failed)))
    return found


def junit(document: Document, found: Sequence[Passed]) -> str:
    """The gates as JUnit's XML, the verdict as what the suite says."""
    suite = ET.Element(
        "testsuite",
        name="geogaze audit",
        tests=str(len(found)),
        failures=str(sum(one.failed for one in found)),
        errors="0",
        skipped="0",
    )
    for one in found:
        case = ET.SubElement(suite, "testcase", classname=document["model"], name=one.gate.text)
        if one.failed:
            failure = ET.SubElement(case, "failure", message=one.words)
            failure.text = one.words
    said = [f"{one['words']} {one['why']}" for one in document["classes"].values()]
    ET.SubElement(suite, "system-out").text = "\n".join(said)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
