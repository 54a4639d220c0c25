"""What the client's documents are said to hold, beside what the API sends."""

from __future__ import annotations

from typing import Any, NotRequired, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from api.documents import Link as ApiLink
from api.documents import StatusInfo
from geogaze.client import Client
from geogaze.documents import Asset, Bill, Layer, Link, Quote, Status
from geogaze.errors import RemoteRefusal
from geogaze.processes.bill import Bill as MadeBill
from geogaze.processes.explain.quote import Quote as MadeQuote
from geogaze.seen import Seen, seen_in
from tests.unit.api.catalogued import catalogued
from tests.unit.api.test_layers import finished, heat
from tests.unit.ledger.suite import submit
from tests.unit.test_client import Server, client, server

__all__ = ["client", "heat", "server"]


@pytest.mark.parametrize(
    ("document", "model"),
    [(Status, StatusInfo), (Quote, MadeQuote), (Bill, MadeBill), (Link, ApiLink)],
)
def test_documents_name_what_the_api_sends(document: Any, model: type[BaseModel]) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    assert set(get_type_hints(document)) == set(fields)
    left_out = {name for name, field in fields.items() if field.default is None}
    hints = get_type_hints(document, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    assert left_out <= optional, "what may be left out is said to"


def test_assets_and_layers_are_whole(server: Server, client: Client, heat: Any) -> None:
    job = str(finished(server.ledger, server.storage, heat))
    assets = client.results(job)
    assert all(asset.keys() == get_type_hints(Asset).keys() for asset in assets.values())
    assert assets["heat-boat"]["length"] == heat.stat().st_size
    assert assets["heat-boat"]["type"].startswith("image/tiff")
    (layer,) = client.layers(job)
    assert layer.keys() == get_type_hints(Layer).keys()
    assert layer["tilejson"].startswith("http://testserver/jobs/")


def test_a_jobs_classes_are_told_by_its_item(server: Server, client: Client) -> None:
    job = catalogued(server.ledger, server.storage, sure=0.75)
    assert client.classes(str(job)) == {"old port": Seen(4, 0.75)}
    with pytest.raises(RemoteRefusal, match="no item"):
        client.classes(str(submit(server.ledger)))


def test_classes_of_most_tiles_come_first() -> None:
    assets = {
        "heat-road": {"geogaze:best_of_tiles": 2, "geogaze:highest_probability": 0.9},
        "heat-boat": {"geogaze:best_of_tiles": 7, "geogaze:highest_probability": 0.6},
        "heat-boat vs road": {"geogaze:best_of_tiles": None, "geogaze:highest_probability": 0.7},
        "tiles": {},
    }
    assert list(seen_in({"assets": assets}).items()) == [
        ("boat", Seen(7, 0.6)),
        ("road", Seen(2, 0.9)),
        ("boat vs road", Seen(None, 0.7)),
    ]
    shares = {"heat-road": {"geogaze:in_tiles": 3, "geogaze:highest_share": 0.4}}
    assert seen_in({"assets": shares}) == {"road": Seen(3, 0.4)}
    assert seen_in({"assets": {"heat-road": {}}}) == {"road": Seen(None, None)}
