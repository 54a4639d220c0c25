"""Conditions on which an audit fails, and what a CI system reads of them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from geogaze.audit.gate import junit, parse_gate, passed
from geogaze.errors import InvalidRequest

TOLD = {
    "model": "mine",
    "classes": {
        "oil tank": {
            "enrichment": 1.5,
            "forecast": None,
            "causal": {"ratio": 0.8},
            "words": "It leans on <water>.",
            "why": "R is low.",
        }
    },
}


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("enrichment[oil tank]<2", True),
        (" enrichment [Oil Tank] < 1.5", False),
        ("enrichment[oil tank]<=1.5", True),
        ("ratio[oil tank]>=0.8", True),
        ("ratio[oil tank]>1e0", False),
        ("forecast[oil tank]<0", True),
    ],
)
def test_a_condition_that_is_met_fails(text: str, failed: bool) -> None:
    (one,) = passed(TOLD, [parse_gate(text, "oil tank")])
    assert one.failed == failed


@pytest.mark.parametrize(
    "text", ["enrichment<2", "enrichment[oil tank]<two", "beauty[oil tank]<2", "ratio[ship]<1",
             "ratio[oil tank]<nan", "ratio[oil tank]==1"],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="--fail-if"):
        parse_gate(text, "oil tank")


def test_junit_counts_failures_and_says_why() -> None:
    gates = [
        parse_gate(text, "oil tank") for text in ("enrichment[oil tank]<2", "ratio[oil tank]<0")
    ]
    suite = ET.fromstring(junit(TOLD, passed(TOLD, gates)))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    first, second = suite.findall("testcase")
    failure = first.find("failure")
    assert failure is not None
    assert failure.get("message") == ("enrichment[oil tank]<2: enrichment of oil tank is 1.5.")
    assert second.find("failure") is None
    assert "<water>" in (suite.findtext("system-out") or "")
