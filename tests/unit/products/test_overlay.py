"""Overlays and the contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rio_cogeo.cogeo import cog_validate

from geogaze.processes.explain.facts import facts_of
from geogaze.processes.explain.plan import Plan
from geogaze.products.colormaps import MAX_OPACITY, Colormap, colour_stops
from geogaze.products.make.inputs import Heat
from geogaze.products.make.overlay import rgb_image
from geogaze.products.make.preview import Shown, write_preview
from geogaze.products.tiles import Standing
from tests.factories import ROTATED, make_scene, make_values, write_scene
from tests.unit.products.conftest import MakePlan, OpenReader, boat, write_overlay


def heat_of(plan: Plan, value: float = 0.0) -> NDArray[np.float32]:
    return np.full((plan.lattice.rows, plan.lattice.cols), value, dtype=np.float32)


def overlay(
    plan: Plan, reader_of: OpenReader, heat: NDArray[np.float32], folder: Path
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    target = folder / "overlay-boat.tif"
    with reader_of(plan) as reader:
        write_overlay(reader, heat, boat(plan), facts_of(plan).backdrop, target)
    with rasterio.open(target) as dataset:
        return dataset.read([1, 2, 3]), dataset.dataset_mask()


def layer(name: str, heat: NDArray[np.float32], won: int | None = 3) -> Shown:
    return Shown(name, Heat.of(heat, "job", 1.0), Standing(won, 0.9, {}))


def grey(path: Path, height: int = 200, width: int = 260) -> Path:
    return write_scene(path, np.full((3, height, width), 128, dtype=np.uint8))


def test_cold_heat_leaves_the_image_alone(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    rows, cols = np.indices((200, 260))
    original = np.stack([rows, cols * 0.9, 255 - rows]).astype(np.uint8)
    plan = plan_of(write_scene(tmp_path / "slopes.tif", original))
    drawn, mask = overlay(plan, reader_of, heat_of(plan), tmp_path)
    assert np.abs(drawn.astype(int) - original).max() < 12  # JPEG
    assert np.abs(drawn.astype(int) - original).mean() < 1.5
    assert (mask == 255).all()


@pytest.mark.parametrize(("row", "col"), [(3, 4), (2, 6), (4, 2)])
def test_a_hot_cell_lies_where_the_network_looked(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path, row: int, col: int
) -> None:
    plan = plan_of(grey(tmp_path / "grey.tif"))
    heat = heat_of(plan)
    heat[row, col] = 1
    drawn, _ = overlay(plan, reader_of, heat, tmp_path)
    weight = np.abs(drawn.astype(int) - 128).sum(axis=0)
    weight[weight < 12] = 0  # JPEG's noise
    rows, cols = np.indices(weight.shape)
    centre = [(weight * axis).sum() / weight.sum() for axis in (rows, cols)]
    assert centre == pytest.approx([32 * row, 32 * col], abs=0.5)


def test_a_hot_cell_lies_there_across_blocks_and_within_an_area(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    """Drawn in several units, and from a corner that is no cell's."""
    scene = grey(tmp_path / "grey.tif", 700, 700)
    left, top, right, bottom = (430_000 + 35, 5_410_000 - 35, 430_000 + 340, 5_410_000 - 340)
    ring = [[left, top], [left, bottom], [right, bottom], [right, top], [left, top]]
    area = {
        "type": "Polygon",
        "coordinates": [ring],
        "crs": {"type": "name", "properties": {"name": "EPSG:32631"}},
    }
    plan = plan_of(scene, aoi=area)
    assert plan.bounds == (70, 70, 680, 680)
    heat = heat_of(plan)
    row, col = 18 - plan.lattice.row0, 18 - plan.lattice.col0
    heat[row, col] = 1
    drawn, _ = overlay(plan, reader_of, heat, tmp_path)
    assert drawn.shape[1:] == (610, 610)
    weight = np.abs(drawn.astype(int) - 128).sum(axis=0)
    weight[weight < 12] = 0
    rows, cols = np.indices(weight.shape)
    centre = [(weight * axis).sum() / weight.sum() for axis in (rows, cols)]
    assert centre == pytest.approx([18 * 32 - 70, 18 * 32 - 70], abs=0.5)


def test_heat_is_drawn_in_the_colours_that_were_asked_for(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    path = grey(tmp_path / "grey.tif")
    shown = {}
    for name in get_args(Colormap):
        plan = plan_of(path, colormap=name)
        drawn, _ = overlay(plan, reader_of, heat_of(plan, 1.0), tmp_path)
        shown[name] = drawn.mean(axis=(1, 2))
        expected = 128 * (1 - MAX_OPACITY) + np.array(colour_stops(name)[-1][1:4]) * MAX_OPACITY
        np.testing.assert_allclose(shown[name], expected, atol=4)
        with reader_of(plan) as reader:
            write_preview(
                facts_of(plan), reader, [layer("boat", heat_of(plan, 1.0))], tmp_path / "p.png"
            )
        with Image.open(tmp_path / "p.png") as picture:
            middle = picture.convert("RGB").getpixel((28 + 640 + 18 + 320, 84 + 240))
        np.testing.assert_allclose(middle, expected, atol=4)


def test_pixels_without_data_are_masked_exactly(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    values = make_values(200, 260)
    values[:, :37, :] = 0
    values[:, :, 201:] = 0
    plan = plan_of(write_scene(tmp_path / "collar.tif", values, nodata=0))
    _, mask = overlay(plan, reader_of, heat_of(plan, 0.8), tmp_path)
    expected = np.full((200, 260), 255)
    expected[:37] = 0
    expected[:, 201:] = 0
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("gsd", [None, 1.0])
def test_the_overlay_is_a_cog_that_keeps_the_rotation(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path, gsd: float | None
) -> None:
    plan = plan_of(make_scene(tmp_path / "rotated.tif", transform=ROTATED), gsd=gsd)
    overlay(plan, reader_of, heat_of(plan, 0.5), tmp_path)
    valid, errors, warnings = cog_validate(tmp_path / "overlay-boat.tif", strict=True, quiet=True)
    assert valid, errors + warnings
    with rasterio.open(tmp_path / "overlay-boat.tif") as dataset:
        scale = gsd / 0.5 if gsd else 1
        assert dataset.shape == (200 / scale, 260 / scale)
        expected = ROTATED @ ROTATED.scale(scale)
        assert tuple(dataset.transform)[:6] == pytest.approx(tuple(expected)[:6], abs=1e-9)
        assert dataset.crs.to_epsg() == 32631
        assert dataset.tags()["GEOGAZE_CLASS"] == "boat"
    assert not (tmp_path / "overlay.tif").exists()


def test_writing_twice_gives_the_same_bytes(
    plan: Plan, reader_of: OpenReader, tmp_path: Path
) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        overlay(plan, reader_of, heat_of(plan, 0.5), tmp_path / name)
        written.append((tmp_path / name / "overlay-boat.tif").read_bytes())
    assert written[0] == written[1]


def test_unknown_cells_at_the_border_do_not_fade_the_heat_beside_them(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    plan = plan_of(grey(tmp_path / "grey.tif"))
    whole = overlay(plan, reader_of, heat_of(plan, 1.0), tmp_path)[0]
    heat = heat_of(plan, 1.0)
    heat[:, 0] = np.nan
    part = overlay(plan, reader_of, heat, tmp_path)[0]
    # Columns 17 to 48 are those of the second cell; the first 15 lie towards the unknown one.
    np.testing.assert_allclose(part[:, :, 17:], whole[:, :, 17:], atol=4)


def test_a_pulse_is_felt_for_every_block_and_can_stop_the_work(
    plan: Plan, reader_of: OpenReader, tmp_path: Path
) -> None:
    def stop(tiles: int) -> None:
        raise InterruptedError

    backdrop, target = facts_of(plan).backdrop, tmp_path / "overlay-boat.tif"
    with reader_of(plan) as reader, pytest.raises(InterruptedError):
        write_overlay(reader, heat_of(plan), boat(plan), backdrop, target, stop)
    assert not (tmp_path / "overlay-boat.tif").exists()


@pytest.mark.parametrize(("bands", "order"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (4, [0, 1, 2])])
def test_rgb_takes_three_bands_or_one_thrice(bands: int, order: list[int]) -> None:
    values = np.linspace(0, 1, bands, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3))
    image = rgb_image(values.astype(np.float32))
    assert image.shape == (2, 3, 3)
    np.testing.assert_array_equal(image[0, 0], (values[order, 0, 0] * 255).round())


@pytest.mark.parametrize(("layers", "columns", "rows"), [(0, 1, 1), (1, 2, 1), (5, 3, 2)])
def test_the_preview_has_a_panel_per_layer(
    plan: Plan, reader_of: OpenReader, tmp_path: Path, layers: int, columns: int, rows: int
) -> None:
    shown = [layer(f"layer {i}", heat_of(plan, i / 5)) for i in range(layers)]
    with reader_of(plan) as reader:
        write_preview(facts_of(plan), reader, shown, tmp_path / "preview.png")
    with Image.open(tmp_path / "preview.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        width, height = picture.size
    assert 640 * columns <= width <= max(760, 640 * columns + 200)
    assert 492 * rows <= height <= 492 * rows + 300


@pytest.mark.parametrize("shape", [(8, 1200), (1200, 8), (2000, 2100)])
def test_previews_of_odd_shapes_open(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path, shape: tuple[int, int]
) -> None:
    plan = plan_of(make_scene(tmp_path / "scene.tif", *shape))
    with reader_of(plan) as reader:
        write_preview(
            facts_of(plan), reader, [layer("boat", heat_of(plan, 1))], tmp_path / "preview.png"
        )
    with Image.open(tmp_path / "preview.png") as picture:
        picture.load()
        assert max(picture.size) < 3000


def test_the_previews_hot_spot_lies_where_the_overlays_does(
    plan_of: MakePlan, reader_of: OpenReader, tmp_path: Path
) -> None:
    plan = plan_of(grey(tmp_path / "grey.tif", 320, 640))
    hot = heat_of(plan)
    hot[5, 10] = 1
    pictures = []
    for heat in (heat_of(plan), hot):
        with reader_of(plan) as reader:
            write_preview(facts_of(plan), reader, [layer("boat", heat)], tmp_path / "preview.png")
        with Image.open(tmp_path / "preview.png") as picture:
            pictures.append(np.array(picture.convert("RGB")).astype(int))
    weight = np.abs(pictures[1] - pictures[0]).sum(axis=2)
    rows, cols = np.nonzero(weight)
    assert len(rows)
    # Panels are 640 wide, so not shrunk: the second begins after margin, panel and gap.
    assert rows.mean() - cols.mean() == pytest.approx((84 + 160) - (28 + 640 + 18 + 320), abs=1)


@pytest.mark.parametrize(
    ("standing", "caption"),
    [
        (Standing(1, 0.984, {}), "best class of 1 tile, highest probability 0.98"),
        (Standing(1200, 0.5, {}), "best class of 1,200 tiles, highest probability 0.50"),
        (Standing(0, 0.031, {}), "best class of no tile, highest probability 0.03"),
        (Standing(None, 0.75, {}), "highest probability 0.75"),
        (Standing(4, 0.9, {"road": 3, "boat": 1}), "best class of tiles: road 3, boat 1"),
        (Standing(0, None, {}), "no tile was looked at"),
        (Standing(1, 0.984, {}, {}, "sigmoid"), "in 1 tile, highest probability 0.98"),
        (Standing(0, 0.031, {}, {}, "sigmoid"), "in no tile, highest probability 0.03"),
        (Standing(3, 0.9, {"road": 3}, {}, "sigmoid"), "most probable in tiles: road 3"),
    ],
)
def test_captions_say_how_sure_the_model_is(standing: Standing, caption: str) -> None:
    heat = np.full((1, 1), np.nan if standing.highest is None else 0, dtype=np.float32)
    assert Shown("boat", Heat.of(heat, "job", 1.0), standing).caption == caption


def test_a_class_that_is_best_nowhere_is_shown_so(
    plan: Plan, reader_of: OpenReader, tmp_path: Path
) -> None:
    amber = []
    for won in (3, 0):
        with reader_of(plan) as reader:
            shown = [layer("boat", heat_of(plan, 1.0), won)]
            write_preview(facts_of(plan), reader, shown, tmp_path / "preview.png")
        with Image.open(tmp_path / "preview.png") as picture:
            below = np.array(picture.convert("RGB")).astype(int)[84 + 492 : 84 + 492 + 60]
        amber.append((below[..., 0] - below[..., 2] > 60).sum())
    assert amber[0] == 0
    assert amber[1] > 100


@pytest.mark.parametrize("shape", [(8, 1200), (1200, 8)])
def test_texts_of_thin_scenes_lie_beside_each_other(
    plan_of: MakePlan,
    reader_of: OpenReader,
    tmp_path: Path,
    shape: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts: list[tuple[float, float, float, float]] = []
    draw_text = ImageDraw.ImageDraw.text

    def note(self: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *words: Any, **more: Any):
        if text:
            texts.append(self.textbbox(at, text, font=more["font"]))
        draw_text(self, at, text, *words, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    plan = plan_of(make_scene(tmp_path / f"{'a-scene-of-many-words-' * 8}.tif", *shape))
    name = "a class of a rather long name, " * 3
    shown = [layer(f"{i} {name}", heat_of(plan, 1)) for i in range(5)]
    with reader_of(plan) as reader:
        write_preview(facts_of(plan), reader, shown, tmp_path / "preview.png")
    with Image.open(tmp_path / "preview.png") as picture:
        width, height = picture.size
    assert len(texts) >= 2 + 6 + 5
    for i, (left, top, right, bottom) in enumerate(texts):
        assert 0 <= left < right <= width, "within the sheet"
        assert 0 <= top < bottom <= height
        for other in texts[:i]:
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom <= other[1] or other[3] <= top
