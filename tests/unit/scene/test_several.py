"""Several files as one scene, against rasterio's own mosaics and warps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.merge import merge
from rasterio.vrt import WarpedVRT

from geogaze.config import Settings
from geogaze.errors import SceneReplaced, SceneUnreadable, SceneUnusable
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.readers import open_planned_scene, open_reader
from tests.factories import NORTH_UP, make_scene, make_values, write_scene
from tests.hosts import Host
from tests.unit.scene.mosaics import LOCAL, described, four, moved, pixels_of, seen_at
from tests.unit.scene.rasters import RGB, SETTINGS, damage, info_of, read, whole


def test_files_side_by_side_are_one_scene_to_the_pixel(tmp_path: Path) -> None:
    """Where they overlap, the first shows; its grid reaches as far as all of them do."""
    files = four(tmp_path)
    info = described(files)
    wanted, transform = merge(files)
    assert (info.height, info.width) == (170, 210)
    assert info.affine == transform
    assert info.uri == f"{files[0]} and 3 more"
    found = pixels_of(info)
    np.testing.assert_array_equal(found.values, wanted)
    assert found.known.all()
    np.testing.assert_array_equal(
        pixels_of(info, (70, 90, 95, 130)).values, wanted[:, 70:95, 90:130]
    )
    backwards = described(files[::-1])
    np.testing.assert_array_equal(pixels_of(backwards).values, merge(files[::-1])[0])
    assert (pixels_of(backwards).values != wanted).any()


def test_grid_of_a_file_in_the_middle_reaches_up_and_left(tmp_path: Path) -> None:
    files = four(tmp_path)
    info = described([files[3], files[0]])
    assert info.affine == NORTH_UP
    found = pixels_of(info)
    assert not found.known[:, 0, 209].any()
    np.testing.assert_array_equal(found.values, merge([files[3], files[0]], nodata=0)[0])


@pytest.mark.parametrize("scale", [2, 3.3, 0.5])
def test_at_another_resolution_there_is_no_seam(tmp_path: Path, scale: float) -> None:
    """As the same pixels in one file look, but for what is read twice at odd edges."""
    values = make_values(160, 200)
    one = write_scene(tmp_path / "one.tif", values)
    parts = [
        write_scene(
            tmp_path / f"{row}-{col}.tif",
            values[:, row : row + 80, col : col + 100],
            transform=moved(row, col),
        )
        for row in (0, 80)
        for col in (0, 100)
    ]
    found = seen_at(described(parts), scale)
    wanted = read(one, scale=scale)
    assert found.known.all()
    apart = np.abs(found.values.astype(int) - wanted.values)
    assert apart.mean() < 0.15 * wanted.values.std()
    seam = round(100 / scale)
    at_seam = apart[:, :, seam - 1 : seam + 1].mean()
    assert at_seam < 0.5 * wanted.values.std(), "the neighbour's pixels are there"


def test_nodata_of_a_file_shows_what_lies_below(tmp_path: Path) -> None:
    upper, lower = make_values(64, 64, seed=1), make_values(64, 64, seed=2)
    upper[:, 10:20, 10:30] = 0
    files = [
        write_scene(tmp_path / "upper.tif", upper, nodata=0),
        write_scene(tmp_path / "lower.tif", lower),
    ]
    found = pixels_of(described(files))
    np.testing.assert_array_equal(found.values, np.where(upper > 0, upper, lower))
    assert found.known.all()
    alone = pixels_of(described(files[0], nodata=0))
    assert alone.known.sum() == (upper > 0).sum()


def test_nodata_that_no_file_declares(tmp_path: Path) -> None:
    """At a coarser resolution no missing pixel darkens its neighbours."""
    values = np.full((3, 64, 64), 200, np.uint8)
    values[:, :, :33] = 0
    path = write_scene(tmp_path / "collar.tif", values)
    assert read(path).known.all()
    found = seen_at(described(path, nodata=0), 4)
    assert set(np.unique(found.values[found.known])) == {200}
    assert found.known[0].sum(axis=1).tolist() == [8] * 16
    stretched = described(write_scene(tmp_path / "u16.tif", values.astype(np.uint16) + 7), nodata=7)
    assert stretched.rescale[0][0] == 207
    warped = pixels_of(described(path, nodata=0, crs="EPSG:3857"))
    assert set(np.unique(warped.values[warped.known])) == {200}


def test_a_file_of_another_zone_is_warped_to_where_it_lies(tmp_path: Path) -> None:
    """As rasterio's warp has it, within a level or two of interpolation."""
    here = make_scene(tmp_path / "here.tif", 100, 100, seed=1)
    there = write_scene(
        tmp_path / "there.tif",
        np.kron(make_values(20, 24, seed=2), np.ones((1, 8, 8), np.uint8)),
        crs="EPSG:32632",
        transform=Affine.translation(-11_500, 5_425_300) @ Affine.scale(0.5, -0.5),
    )
    with (
        rasterio.open(here) as one,
        WarpedVRT(rasterio.open(there), crs=one.crs, resampling=Resampling.bilinear) as vrt,
    ):
        far = vrt.transform
    here = write_scene(
        tmp_path / "near.tif",
        make_values(100, 100, seed=1),
        transform=Affine.translation(far.c - 20, far.f) @ Affine.scale(0.5, -0.5),
    )
    info = described([here, there])
    assert info.epsg == 32631
    assert [piece.crs for piece in info.pieces] == [None, "EPSG:32632"]
    found = pixels_of(info)
    with (
        rasterio.open(there) as file,
        WarpedVRT(
            file,
            crs="EPSG:32631",
            transform=info.affine,
            height=info.height,
            width=info.width,
            resampling=Resampling.bilinear,
            add_alpha=True,
        ) as vrt,
    ):
        wanted, alpha = vrt.read([1, 2, 3]), vrt.read(4) > 0
    row, col = (round(n) for n in (~info.affine @ (far.c - 20, far.f))[::-1])
    own = np.zeros(alpha.shape, bool)
    own[row : row + 100, col : col + 100] = True
    theirs = alpha & ~own
    assert theirs.sum() > 20_000
    assert (found.known[0] != (alpha | own)).mean() < 0.002
    apart = np.abs(found.values.astype(int) - wanted)[:, theirs & found.known[0]]
    assert apart.mean() < 0.5
    np.testing.assert_array_equal(
        found.values[:, own], make_values(100, 100, seed=1).reshape(3, -1)
    )


def test_the_grid_may_be_in_a_chosen_crs(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", 80, 100)
    info = described(path, crs="EPSG:3857")
    assert info.epsg == 3857
    assert info.transform[1] == info.transform[3] == 0
    assert info.pixel_metres == pytest.approx(0.5, rel=0.01)
    found = pixels_of(info)
    with (
        rasterio.open(path) as file,
        WarpedVRT(
            file,
            crs="EPSG:3857",
            transform=info.affine,
            height=info.height,
            width=info.width,
            resampling=Resampling.bilinear,
            add_alpha=True,
        ) as vrt,
    ):
        wanted, alpha = vrt.read([1, 2, 3]), vrt.read(4) > 0
    both = alpha & found.known[0]
    assert both.mean() > 0.9
    assert np.abs(found.values.astype(int) - wanted)[:, both].mean() < 2


@pytest.mark.parametrize("crs", ["EPSG:999999", "/etc/passwd", "http://a.b/crs", "+proj=utm"])
def test_a_crs_is_a_code_or_wkt(tmp_path: Path, crs: str) -> None:
    with pytest.raises(SceneUnusable, match=r"--crs: .* CRS"):
        described(make_scene(tmp_path / "a.tif", 20, 20), crs=crs)


def test_a_damaged_file_is_named_and_takes_no_other_with_it(tmp_path: Path) -> None:
    files = four(tmp_path, compress="deflate")
    wanted, _ = merge(files)
    damage(files[3], 0, 1)
    info = described(files)
    with pytest.raises(SceneUnreadable, match=r"se\.tif.* is damaged"):
        seen_at(info, 1)
    found = seen_at(info, 1, lenient=True)
    assert {reason.reason.split("'")[1] for reason in found.damage} == {str(files[3])}
    np.testing.assert_array_equal(found.values[:, :80, :], wanted[:, :80, :])
    assert not found.known[:, 100, 180].any()
    assert found.known[:, 100, 150].all(), "its other blocks are well"


def test_blocks_are_each_files_own_where_they_lie_in_the_scene(tmp_path: Path) -> None:
    """Of 64 × 64 pixels, counted from the file's corner; squares of the scene for a warped one."""
    files = four(tmp_path)
    with open_planned_scene(described(files), LOCAL, SETTINGS) as reader:
        found = {block.box: block.name for block in reader.blocks((1, 2, 3), (150, 170, 160, 205))}
        assert set(found) == {(144, 164, 170, 210)}
        assert str(files[3]) in found[144, 164, 170, 210]
        every = [block.box for block in reader.blocks((1, 2, 3), (0, 0, 170, 210))]
    covered = np.zeros((170, 210), int)
    for top, left, bottom, right in every:
        covered[top:bottom, left:right] += 1
    assert covered[:80, :100].max() == covered.min() == 1
    assert len(every) == 4 * 4
    warped = described(files[0], crs="EPSG:32632")
    with open_planned_scene(warped, LOCAL, SETTINGS) as reader:
        (block,) = reader.blocks((1, 2, 3), (0, 0, 20, 20))
    assert block.box == (0, 0, warped.height, warped.width)


def test_a_replaced_file_is_told_by_name(tmp_path: Path) -> None:
    files = four(tmp_path)
    info = described(files)
    make_scene(files[2], 90, 110, seed=9, transform=moved(80, 0), compress="deflate")
    with pytest.raises(SceneReplaced, match=r"sw\.tif' was replaced"):
        pixels_of(info)
    pixels_of(info, (0, 0, 50, 50))  # is not read there
    assert described(files).version != info.version
    reader = open_planned_scene(described(files), LOCAL, SETTINGS)
    reader.pixels(info.bands, (0, 0, 9, 9), (9, 9))
    files[0].touch()
    with pytest.raises(SceneReplaced, match=r"nw\.tif"):
        reader.__exit__(None, None, None)


def test_values_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    bytes_, words = (
        make_scene(tmp_path / f"{dtype}.tif", 20, 20, dtype=dtype) for dtype in ("uint8", "uint16")
    )
    with pytest.raises(SceneUnusable, match=r"of the type uint8, and .* uint16: one scale"):
        described([bytes_, words])
    assert described([bytes_, make_scene(tmp_path / "b.tif", 20, 20, bands=4)]).bands == (1, 2, 3)
    with pytest.raises(SceneUnusable, match=r"grey\.tif' has 1 band"):
        described([bytes_, make_scene(tmp_path / "grey.tif", 20, 20, bands=1)])


def test_percentiles_are_of_all_files(tmp_path: Path) -> None:
    files = [
        write_scene(tmp_path / "a.tif", np.full((3, 64, 64), 100, np.uint16)),
        write_scene(
            tmp_path / "b.tif", np.full((3, 64, 64), 300, np.uint16), transform=moved(0, 64)
        ),
    ]
    info = described(files)
    assert info.rescale == ((100, 300),) * 3
    assert info.rescale_source == "percentiles 2 and 98 of the scene"
    assert described(files, rescale=[(0, 9)]).rescale == ((0, 9),) * 3


def test_files_at_two_ends_of_the_world_are_no_scene(tmp_path: Path) -> None:
    far = Affine.translation(430_000 + 4e6, 1_000) @ Affine.scale(0.5, -0.5)
    files = [
        make_scene(tmp_path / "a.tif", 20, 20),
        make_scene(tmp_path / "b.tif", 20, 20, transform=far),
    ]
    settings = Settings(max_scene_pixels=10**9)
    with (
        open_reader([str(file) for file in files], LOCAL, settings) as reader,
        pytest.raises(SceneUnreadable, match=r"pixels; at most 1,000,000,000"),
    ):
        reader.facts(RGB, None, None)


def test_every_file_must_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    files = [make_scene(tmp_path / "open/a.tif", 20, 20), make_scene(tmp_path / "b.tif", 20, 20)]
    policy = SourcePolicy(folders=(tmp_path / "open",))
    with pytest.raises(SceneUnreadable, match=r"b\.tif' is not an allowed source"):
        described(files, policy=policy)
    info = described(files)
    (tmp_path / "open/a.tif").rename(tmp_path / "a.tif")
    moved_out = info.pieces[0].model_copy(update={"uri": str(tmp_path / "a.tif")})
    planned = info.model_copy(update={"pieces": (moved_out,)})
    with (
        open_planned_scene(planned, policy, SETTINGS) as reader,
        pytest.raises(SceneUnreadable, match=r"a\.tif' is not an allowed source"),
    ):
        reader.pixels(info.bands, (0, 0, 20, 20), (20, 20))


def test_remote_files_are_looked_at_and_read_where_they_lie(host: Host) -> None:
    files = four(host.folder)
    info = described([host.uri(file.name) for file in files])
    assert info.remote
    np.testing.assert_array_equal(pixels_of(info).values, merge(files)[0])
    assert info.version != described(files).version


def test_many_files_are_a_small_plan(tmp_path: Path) -> None:
    """Files are hard links: it is their number that counts."""
    one = make_scene(tmp_path / "one.tif", 16, 16)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:04}.tif").hardlink_to(one)
    info = described(sorted(folder.iterdir()))
    assert len(info.files) == 200
    assert len(info.model_dump_json()) < 80_000
    np.testing.assert_array_equal(pixels_of(info).values, make_values(16, 16))


def test_one_plain_file_is_read_as_ever(scene: Path) -> None:
    assert info_of(scene).pieces == ()
    info = described(scene, nodata=0)
    assert info.files == (str(scene),)
    assert whole(info) == whole(info_of(scene))
