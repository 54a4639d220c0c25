"""Networks whose reasons are known, audited: the verdict must be what they were made to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest

from geogaze.audit import auditing
from geogaze.audit.auditing import Audit, audit
from geogaze.audit.beside import read_other
from geogaze.audit.collecting import write_geopackage
from geogaze.audit.document import document
from geogaze.audit.edits import PROBES
from geogaze.audit.page import page
from geogaze.audit.sites import open_site
from geogaze.audit.verdict import Kind
from geogaze.config import Settings
from geogaze.errors import InvalidRequest
from geogaze.evidence.results import BatchResult
from geogaze.models.bundles import Bundle
from tests.unit.audit.conftest import CRS, SIZE, TILES, WHERE, World, outlines, planned

Colours = Callable[[np.ndarray], np.ndarray]


class Painter:
    """A network that adds up a colour: a cell's evidence is its mean, a logit theirs and a bias."""

    def __init__(self, bundle: Bundle, colour: Colours) -> None:
        self.bundle, self._colour = bundle, colour
        self.ran: dict[str, Any] = {}

    def prepare(self, values: np.ndarray, valid: np.ndarray, rescale: Any) -> np.ndarray:
        assert valid.all()
        return values

    def explain_tiles(
        self, window: np.ndarray, corners: Sequence[Any], targets: Any, method: str = "gradcam"
    ) -> Generator[BatchResult]:
        assert method == "gradcam"
        g, side = self.bundle.cells, SIZE // self.bundle.cells
        tiles = np.stack([window[:, r : r + SIZE, c : c + SIZE] for r, c in corners])
        boat = self._colour(tiles).reshape(-1, g, side, g, side).mean(axis=(2, 4))
        maps = np.stack([boat, np.zeros_like(boat), -boat], axis=1).astype(np.float32)
        logits = maps.mean(axis=(2, 3)) + np.array([-0.9, 0, -1.1], np.float32)
        chosen = maps[:, [plus for plus, _ in targets]]
        yield BatchResult(np.arange(len(corners)), logits, chosen, "channel-shift")


def red(tiles: np.ndarray) -> np.ndarray:
    return np.asarray(60 * np.clip(tiles[:, 0] - tiles[:, 1] - 0.2, 0, None))


def green(tiles: np.ndarray) -> np.ndarray:
    return np.asarray(20 * np.clip(tiles[:, 1] - tiles[:, 2] - 0.1, 0, None))


def warmth(tiles: np.ndarray) -> np.ndarray:
    return np.asarray(
        red(tiles) + 90 * (tiles[:, 0] - tiles[:, 2]).mean(axis=(1, 2), keepdims=True)
    )


@pytest.fixture
def run(world: World, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Audit]:
    def audited(colour: Colours, **changes: Any) -> Audit:
        plan = planned(world, bundle_folder, **changes)
        monkeypatch.setattr(auditing, "load_engine", lambda *_: Painter(plan.bundle, colour))
        monkeypatch.setattr(auditing, "without_learning", lambda *_: None)
        return audit(plan, Settings())

    return audited


def test_a_network_that_sees_the_object_is_told_so(run: Callable[..., Audit]) -> None:
    found = run(red)
    assert found.verdict.kind is Kind.OBJECT, found.verdict
    assert (found.tiles, found.showing) == (TILES * TILES, 41)
    assert found.bias.closes
    assert found.bias.value == pytest.approx(-0.9, abs=1e-5)
    right = found.sheets["right"]
    assert right.tiles == 41
    assert sum(right.kinds.values()) + found.bias.value == pytest.approx(right.logit)
    assert right.areas["objects"] + right.areas["green"] == pytest.approx(1, abs=0.01)
    assert right.areas["green"] > right.areas["objects"] > 0
    assert (found.causal.lost.value or 0) > 0.95
    assert found.placed.enrichment.value
    assert found.placed.enrichment.value > 3
    moved = found.placed.enrichment_of["objects moved at random"].value
    assert moved == pytest.approx(1, abs=0.3)


def test_a_network_that_sees_the_ground_under_it_is_told_so(
    run: Callable[..., Audit],
) -> None:
    found = run(green)
    assert found.verdict.kind is Kind.SURROUNDINGS, found.verdict
    right = found.sheets["right"]
    assert right.above["green"] > 0.8 * sum(right.above.values())
    assert (found.causal.stays.value or 0) > 0.9
    assert abs(found.causal.lost.value or 0) < 0.3


def test_a_network_that_leans_on_a_cast_is_told_so(run: Callable[..., Audit]) -> None:
    found = run(warmth)
    assert found.verdict.kind is Kind.GLOBAL, found.verdict
    assert "cooler" in found.verdict.why  # without the warmth nothing is left
    assert found.causal.grounds.on_objects["cooler"] < -0.5
    assert found.causal.grounds.probes["cooler"] < -0.5
    assert {cue: kept.value for cue, kept in found.causal.keeps.items()} == dict.fromkeys(PROBES, 1)


def test_tiles_are_the_scenes_own_and_objects_lie_in_them(
    world: World, bundle_folder: Path
) -> None:
    plan = planned(world, bundle_folder)
    (where,) = plan.sites
    assert (where.rows, where.cols, where.gsd) == (TILES, TILES, pytest.approx(0.5))
    with open_site(plan, 0, Settings()) as site:
        tiles = list(site.tiles(where.places(range(where.tiles))))
        (again,) = site.tiles([(4, 4)])
    assert len(tiles) == TILES * TILES
    for tile in tiles:
        reddish = tile.picture[0] - tile.picture[1] > 0.3
        assert (reddish == tile.objects).mean() > 0.995
        around = np.bincount(tile.kinds.ravel(), minlength=3) / SIZE**2
        shown = (0, 0, 1) if sum(tile.place) % 2 else (400 / SIZE**2, 1 - 400 / SIZE**2, 0)
        assert around == pytest.approx(np.array(shown), abs=0.01)  # coordinates are rounded
        assert ((tile.bands == 0) == tile.objects).all()
    np.testing.assert_array_equal(again.picture, tiles[4 * TILES + 4].picture)


def test_what_to_collect_lies_in_place(run: Callable[..., Audit], tmp_path: Path) -> None:
    found = run(lambda tiles: 20 * (0.5 - tiles[:, 1]))  # takes grey for boats
    why = [one.why for one in found.collect]
    assert (why.count("wrong"), why.count("missed")) == (40, 41)
    surprises = [one.surprise for one in found.collect]
    assert surprises == sorted(surprises, reverse=True)
    write_geopackage(found.collect, tmp_path / "collect.gpkg")
    layer = geopandas.read_file(tmp_path / "collect.gpkg", layer="collect").to_crs(CRS)
    assert layer["rank"].tolist() == list(range(1, 82))
    for one, row in zip(found.collect, layer.itertuples(), strict=True):
        assert (row.scene, row.row, row.col, row.why) == (one.scene, *one.place, one.why)
        assert sum(one.place) % 2 == (one.why == "wrong")
        left, _, _, top = row.geometry.bounds
        col, down = ~WHERE @ (left, top)
        assert (down, col) == pytest.approx((row.row * SIZE, row.col * SIZE), abs=1e-2)


def test_a_page_stands_by_itself(run: Callable[..., Audit]) -> None:
    found = run(green)
    told = document(found)
    json.dumps(told, allow_nan=False)
    (one,) = told["classes"].values()
    relies = one["causal"]["relies"]
    assert relies["colour"] == pytest.approx(1, abs=0.05)  # green against blue is all it sees
    assert abs(relies["texture"]) < 0.1
    assert {
        *("energy_share", "area_share", "enrichment", "enrichment_interval", "pointing"),
        *("baselines", "context", "balance", "causal", "forecast", "verdict", "tiles"),
    } <= set(one)
    assert {"ratio", "ratio_interval", "control", "probes"} <= set(one["causal"])
    balance = one["balance"]
    kinds = {"objects", "green", "the rest"}
    assert set(balance) == {*kinds, "bias", "logit", "residual"}
    summed = sum(balance[name] for name in (*kinds, "bias", "residual"))
    assert summed == pytest.approx(balance["logit"])
    assert abs(balance["residual"]) < 1e-5
    assert one["context"]["green"] == pytest.approx(1, abs=0.05)
    assert one["verdict"] == "surroundings"
    text = page({**told, "classes": {"<boat> & co": one}})
    assert "&lt;boat&gt; &amp; co" in text
    assert "<boat>" not in text
    for other in ("http:", "https:", "<script", "<link", "src=", "@import", "url("):
        assert other not in text, other
    assert found.verdict.words in text


def test_two_models_stand_side_by_side(run: Callable[..., Audit], tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps({**document(run(green)), "model": "<other>"}))
    other = read_other(path, "boat")
    text = page({**document(run(red)), "beside": other})
    assert "&lt;other&gt;" in text
    assert "<td>verdict</td><td>object</td><td>surroundings</td>" in text
    assert "not audited on the same scenes" not in text
    with pytest.raises(InvalidRequest, match="of boat, and not of 'ship'"):
        read_other(path, "ship")
    path.write_text('{"classes": {"boat": {}}}')
    with pytest.raises(InvalidRequest, match="no audit"):
        read_other(path, "boat")


def test_a_scene_without_ground_of_some_kind_is_audited(
    run: Callable[..., Audit], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.geojson"
    elsewhere.write_text(json.dumps(outlines([(20_000, 20_000, 20_064, 20_064)])))
    right = run(red, cover={"water": str(elsewhere)}).sheets["right"]
    assert right.kinds["water"] == right.areas["water"] == 0


def test_what_is_no_use_is_refused(
    run: Callable[..., Audit], world: World, bundle_folder: Path, tmp_path: Path
) -> None:
    none = tmp_path / "none.geojson"
    none.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(InvalidRequest, match="shows an object"):
        run(red, truth=str(none), cover={})
    with pytest.raises(InvalidRequest, match="no class by itself"):
        planned(world, bundle_folder, **{"class": "boat vs road"})
    with pytest.raises(InvalidRequest, match="Boat"):
        planned(world, bundle_folder, **{"class": "road", "by": "class"})
