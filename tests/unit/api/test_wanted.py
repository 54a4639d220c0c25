"""Products by name and by kind, wherever a layer's name stands."""

from __future__ import annotations

import pytest

from api.descriptions import check_outputs
from api.documents import Output
from geogaze.errors import InvalidRequest
from geogaze.processes.table import Output as Described
from geogaze.processes.table import Process
from geogaze.processes.wanted import is_wanted
from tests.unit.extending.average import AVERAGE

COG = "image/tiff; application=geotiff"


@pytest.mark.parametrize(
    ("name", "outputs", "wanted"),
    [
        ("heat-ship", (), True),
        ("heat-ship", ("heat-ship",), True),
        ("heat-ship", ("heat-{class}",), True),
        ("heat-ship", ("heat-port", "tiles"), False),
        ("top-k-ship", ("top-k-{class}",), True),
        ("heat-ship-outline", ("heat-{class}-outline",), True),
        ("heat-ship", ("heat-{class}-outline",), False),
    ],
)
def test_a_product_is_wanted_by_its_name_or_its_kinds(
    name: str, outputs: tuple[str, ...], wanted: bool
) -> None:
    assert is_wanted(name, outputs) is wanted


def test_a_kind_may_have_hyphens_and_a_name_of_its_own_goes_first() -> None:
    kinds = {
        "heat-{class}": Described("heat", COG),
        "heat-summary": Described("all heat", "text/csv"),
        "top-k-{class}": Described("top", "application/json"),
    }
    process = Process(**{**vars(AVERAGE), "outputs": lambda: kinds})
    made = {"heat-ship", "heat-summary", "top-k-ship"}
    wanted = {"heat-summary": "text/csv", "top-k-ship": "application/json", "heat-ship": COG}
    for name, media_type in wanted.items():
        check_outputs(process, {name: Output(format={"mediaType": media_type})}, made)
        with pytest.raises(InvalidRequest, match=name):
            check_outputs(process, {name: Output(format={"mediaType": "text/html"})}, made)
