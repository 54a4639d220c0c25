"""A job's features in the clients of others: GDAL's command line and OWSLib, over HTTP."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from uuid import UUID

import pytest
import shapely
from fastapi import FastAPI
from owslib.ogcapi.features import Features as Client
from shapely.geometry import shape

from tests.unit.api.featured import COUNT, OWN
from tests.unit.api.serving import served
from tests.unit.gis.packages import CORNER, outlines

X, Y = CORNER


@pytest.fixture(scope="module")
def address(app: FastAPI, job: UUID) -> Iterator[str]:
    with served(app) as base:
        yield f"{base}/jobs/{job}/features"


def ogr(address: str, *words: str) -> str:
    """What Debian's ogrinfo says."""
    return subprocess.run(
        ["ogrinfo", "-ro", f"OAPIF:{address}", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_ogrinfo_lists_counts_and_finds(address: str) -> None:
    assert "1: hotspots (title: Hotspots of heat) (Polygon)\n2: tiles" in ogr(address)
    told = ogr(address, "-so", "hotspots")
    assert f"Feature Count: {COUNT}\n" in told
    assert "class: String" in told
    ships = ogr(address, "hotspots", "-where", "class = 'ship' AND peak > 2.1", "-geom=NO")
    assert [line for line in ships.splitlines() if "id (String)" in line] == [
        "  id (String) = spot-23",
    ]
    box = [str(edge) for edge in degrees(address)[4].bounds]
    assert ogr(address, "hotspots", "-spat", *box).count("OGRFeature(hotspots):") == 1


def degrees(address: str) -> list[shapely.Polygon]:
    page = Client(address).collection_items("hotspots", limit=100)
    return [shape(feature["geometry"]) for feature in page["features"]]


def test_owslib_reads_pages_filters_and_crss(address: str) -> None:
    client = Client(address)
    assert client.feature_collections() == ["hotspots", "tiles"]
    assert "peak" in client.collection_queryables("hotspots")["properties"]
    page = client.collection_items("hotspots", limit=5, filter="class='ship' AND peak >= 2.1")
    assert (page["numberMatched"], page["features"][0]["id"]) == (2, 22)
    box = [X, Y, X + 10, Y + 10]
    (first,) = client.collection_items("hotspots", bbox=box, **{"bbox-crs": OWN, "crs": OWN})[
        "features"
    ]
    assert shape(first["geometry"]) == outlines(1)[0]
    assert client.collection_item("hotspots", "3")["properties"]["id"] == "spot-2"
