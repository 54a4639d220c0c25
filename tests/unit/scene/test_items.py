"""STAC Items and search results as scenes: which assets are taken, and from where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.merge import merge

from geogaze.errors import GeogazeError, SceneUnreadable, SceneUnusable
from geogaze.scene.policy import SourcePolicy
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.scene.mosaics import described, four, moved, pixels_of

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def asset(href: str, *bands: str, **more: Any) -> dict[str, Any]:
    """An asset as STAC 1.1 has it."""
    named = {"bands": [{"eo:common_name": name} for name in bands]} if bands else {}
    return {"href": href, "type": GEOTIFF, "roles": ["data"], **named, **more}


def item(folder: Path, assets: dict[str, Any], name: str = "item.json") -> Path:
    path = folder / name
    path.write_text(json.dumps({"type": "Feature", "id": name, "assets": assets}))
    return path


@pytest.fixture
def separate(tmp_path: Path) -> dict[str, Any]:
    """One file for each colour and more, on one grid."""
    colours = ("blue", "green", "red", "nir")
    for seed, colour in enumerate(colours):
        make_scene(tmp_path / f"{colour}.tif", 64, 80, bands=1, dtype="uint16", seed=seed)
    return {colour: asset(f"./{colour}.tif", colour) for colour in colours}


def band(path: Path) -> Any:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_assets_are_stacked_by_their_common_names(tmp_path: Path, separate: dict[str, Any]) -> None:
    info = described(item(tmp_path, separate))
    wanted = np.stack([band(tmp_path / f"{name}.tif") for name in ("red", "green", "blue")])
    np.testing.assert_array_equal(pixels_of(info).values, wanted)
    np.testing.assert_allclose(
        info.rescale, np.percentile(wanted.astype(float), (2, 98), axis=(1, 2)).T
    )
    assert info.bands_source == "descriptions"
    assert [Path(file).stem for file in info.files] == ["red", "green", "blue"]


@pytest.mark.parametrize(
    "described_as",
    [
        lambda name, number: {"eo:bands": [{"name": number, "common_name": name}]},
        lambda name, number: {"bands": [{"name": number}]},
        lambda name, number: {},
    ],
    ids=["STAC 1.0", "numbers", "by the assets' names"],
)
def test_older_words_and_bare_names_are_understood(
    tmp_path: Path, separate: dict[str, Any], described_as: Any
) -> None:
    numbers = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
    assets = {
        (name if not described_as(name, "x") else f"asset-{name[0]}"): {
            **{key: value for key, value in separate[name].items() if key != "bands"},
            **described_as(name, number),
        }
        for name, number in numbers.items()
    }
    assert [Path(file).stem for file in described(item(tmp_path, assets)).files] == [
        *("red", "green", "blue")
    ]


def test_one_asset_with_all_bands_goes_before_single_ones(
    tmp_path: Path, separate: dict[str, Any]
) -> None:
    make_scene(tmp_path / "visual.tif", 64, 80)
    make_scene(tmp_path / "preview.tif", 8, 10)
    assets = {
        "overview": asset("preview.tif", "red", "green", "blue", roles=["overview"]),
        **separate,
        "visual": asset("visual.tif", "blue", "green", "red", nodata=9),
        "tilejson": {"href": "https://tiles.example/x", "type": "application/json"},
    }
    info = described(item(tmp_path, assets))
    (piece,) = info.pieces
    assert (Path(piece.uri).name, piece.bands, piece.nodata) == ("visual.tif", (3, 2, 1), 9)


def test_assets_may_be_named(tmp_path: Path, separate: dict[str, Any]) -> None:
    path = item(tmp_path, separate)
    chosen = described(path, assets=("nir", "red", "green"))
    assert [Path(file).stem for file in chosen.files] == ["nir", "red", "green"]
    make_scene(tmp_path / "visual.tif", 64, 80)
    path = item(tmp_path, {**separate, "visual": asset("visual.tif")})
    assert described(path, assets=("visual",), bands=[3, 2, 1]).pieces[0].bands == (3, 2, 1)
    with pytest.raises(SceneUnusable, match=r"has no asset 'swir'.*Its rasters are: blue, green"):
        described(path, assets=("swir",))
    with pytest.raises(SceneUnusable, match="2 assets are named, and the model takes 3 bands"):
        described(path, assets=("red", "nir"))
    with pytest.raises(SceneUnusable, match="--assets is for STAC Items"):
        described(tmp_path / "visual.tif", assets=("red",))


def test_items_without_the_bands_say_what_there_is(
    tmp_path: Path, separate: dict[str, Any]
) -> None:
    del separate["green"]
    with pytest.raises(SceneUnusable, match=r"no asset is the band 'green'.*blue, red, nir"):
        described(item(tmp_path, separate))
    with pytest.raises(SceneUnusable, match="none that is a GeoTIFF"):
        described(item(tmp_path, {"note": {"href": "a.txt", "type": "text/plain"}}))


def test_what_a_search_found_is_one_scene(tmp_path: Path) -> None:
    files = four(tmp_path)
    features = [
        {"type": "Feature", "id": file.stem, "assets": {"image": asset(file.name)}}
        for file in files
    ]
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    info = described(found)
    np.testing.assert_array_equal(pixels_of(info).values, merge(files)[0])
    several = [item(tmp_path, f["assets"], f"{f['id']}.json") for f in features]
    np.testing.assert_array_equal(pixels_of(described(several)).values, merge(files)[0])


def test_relative_hrefs_are_the_items_neighbours(host: Host) -> None:
    (host.folder / "data").mkdir()
    make_scene(host.folder / "data/a.tif", 64, 64)
    (host.folder / "items").mkdir()
    item(host.folder / "items", {"image": asset("../data/a.tif")})
    info = described(host.uri("items/item.json"))
    assert info.files == (host.uri("data/a.tif"),)


@pytest.mark.parametrize(
    ("href", "why"),
    [
        ("file:///etc/passwd", "not an allowed source"),
        ("/etc/passwd", "not an allowed source"),
        ("https://10.1.2.3/a.tif", "not an allowed source"),
        ("http://a.b/a.tif", "not an allowed source"),
        ("gs://bucket/a.tif", "not an allowed source"),
    ],
)
def test_assets_elsewhere_are_refused(tmp_path: Path, href: str, why: str) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    path = item(folder, {"image": asset(href)})
    with pytest.raises(SceneUnreadable, match=why):
        described(path, policy=SourcePolicy(folders=(folder,), hosts=("a.b",)))


def test_private_hosts_are_refused_to_everybodys_documents(tmp_path: Path) -> None:
    for address in ("https://127.0.0.1/a.tif", "https://[::1]/a.tif", "https://192.168.1.1/a.tif"):
        with pytest.raises(SceneUnreadable, match="private network"):
            described(item(tmp_path, {"image": asset(address)}))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"type": "Collection", "id": "a"}', "is a STAC Collection"),
        ('{"type": "FeatureCollection", "features": []}', "holds shapes and no pixels"),
        ('{"type": "Feature", "geometry": null}', "holds shapes and no pixels"),
        ('{"type": ', "starts as JSON, and is none"),
        ("{" * 100_000, "starts as JSON, and is none"),
        ('{"a":' * 100_000, "starts as JSON, and is none"),
    ],
)
def test_other_json_is_told_as_such(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(GeogazeError, match=why):
        described(path)


def test_items_of_two_kinds_of_words_are_refused(tmp_path: Path) -> None:
    make_scene(tmp_path / "a.tif", 64, 64)
    make_scene(tmp_path / "b.tif", 64, 64, transform=moved(0, 64))
    features = [
        {"type": "Feature", "id": "a", "assets": {"image": asset("a.tif")}},
        {"type": "Feature", "id": "b", "assets": {"v": asset("b.tif", "red", "green", "blue")}},
    ]
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(SceneUnusable, match="in different ways"):
        described(found)
