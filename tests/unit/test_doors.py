"""References lead to what they name, or say why not."""

from __future__ import annotations

import pytest

from geogaze.doors import resolve


def test_a_reference_is_what_it_names() -> None:
    assert resolve("geogaze.doors:resolve") is resolve


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("geogaze.doors", "package.module:name"),
        ("geogaze.nowhere:resolve", "No module named"),
        ("geogaze.doors:nothing", "has no attribute 'nothing'"),
    ],
)
def test_one_that_leads_nowhere_says_why(reference: str, says: str) -> None:
    with pytest.raises(LookupError, match=says):
        resolve(reference)
