"""Plain GeoTIFFs far away: their pixels are GDAL's, and what is not plain is left to GDAL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rasterio.shutil import copy

from geogaze.config import Settings
from geogaze.errors import Retry
from geogaze.grid.lattice import WorkingGrid
from geogaze.scene import decoders
from geogaze.scene.decoders import DecoderMissing, gdal_decoder, ranged_decoder
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import PartUnread
from geogaze.scene.readers import open_reader
from geogaze.scene.tiled import TiledGeoTiff
from geogaze.scene.view import Pixels, SceneView
from tests.factories import NORTH_UP, make_scene, make_values, write_scene
from tests.hosts import Host, make_authority

ASYNC = ranged_decoder()
assert ASYNC, "the tests need async-tiff, as the worker extra brings it"
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
QUICK = Settings(connect_seconds=5, silence_seconds=5, request_seconds=10)


def facts(host: Host, name: str, how: Settings = QUICK, bands: tuple[int, ...] = ()) -> SceneInfo:
    """As planning has them."""
    with open_reader(host.uri(name), SourcePolicy.local(), how) as reader:
        return reader.facts(("x",) * len(bands or (1,)), bands or (1,), ((0, 1),))


def window(host: Host, name: str, info: SceneInfo, decoder: str, box: Any) -> Pixels:
    working = WorkingGrid.over(info.width, info.height, info.affine, 1.0)
    with open_reader(host.uri(name), SourcePolicy.local(), QUICK, decoder=decoder) as reader:
        assert isinstance(reader, TiledGeoTiff) == (decoder == ASYNC)
        return SceneView(reader, info, working).read(box)


@pytest.fixture(scope="module")
def shared() -> Iterator[Host]:
    """One host for all examples."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Path(folder, "host")
        place.mkdir()
        with Host(place, make_authority(Path(folder), patch.setenv)) as running:
            yield running


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    dtype = draw(st.sampled_from(DTYPES))
    bands = draw(st.integers(1, 13))
    compress = draw(st.sampled_from([None, "deflate", "lzw", "zstd"]))
    predictors = (1, 2, 3) if dtype.startswith("float") else (1, 2)
    interleave = draw(st.sampled_from(["pixel", "band"]))
    if interleave == "band" and bands > 1:
        predictors = (1,)  # the others are left to GDAL
    alpha = bands > 1 and dtype in {"uint8", "uint16"} and draw(st.booleans())
    return {
        "height": draw(st.integers(40, 150)),
        "width": draw(st.integers(40, 150)),
        "dtype": dtype,
        "bands": bands,
        "alpha": alpha,
        "nodata": draw(
            st.sampled_from([None, 7] + ([np.nan] if dtype.startswith("float") else []))
        ),
        "options": {
            "tiled": True,
            "blockxsize": draw(st.sampled_from([16, 32, 64, 176])),
            "blockysize": draw(st.sampled_from([16, 32, 64, 176])),
            "interleave": interleave,
            "ENDIANNESS": draw(st.sampled_from(["LITTLE", "BIG"])),
            "BIGTIFF": draw(st.sampled_from(["YES", "NO"])),
            **({"compress": compress} if compress else {}),
            **({"predictor": draw(st.sampled_from(predictors))} if compress else {}),
        },
    }


def write(path: Path, file: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = make_values(
        file["height"], file["width"], bands=file["bands"], dtype=file["dtype"], seed=seed
    )
    holes = rng.random(values.shape) < 0.2
    values[holes] = 7 if file["nodata"] is None else file["nodata"]
    options = dict(file["options"])
    if file["alpha"]:
        values[-1] = rng.choice([0, 255], values.shape[1:])
        options["photometric"] = "minisblack"
        options["ALPHA"] = "YES"
    write_scene(path, values, nodata=file["nodata"], **options)


@given(file=files(), seed=st.integers(0, 99), data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # each try is many requests
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_pixels_are_gdals_to_the_last_bit(
    shared: Host, file: dict[str, Any], seed: int, data: st.DataObject
) -> None:
    """Values and what is known of them: in windows, at edges, past the scene."""
    write(shared.folder / "a.tif", file, seed)
    count = file["bands"]
    whole = file["options"]["interleave"] == "band"
    order = st.permutations(range(1, count + 1))
    some = st.lists(st.integers(1, count), min_size=1, max_size=4)
    bands = tuple(data.draw(order if whole else some))
    info = facts(shared, "a.tif", bands=bands)
    assert info.decoder == ASYNC
    at = st.integers(-20, 160)
    (top, bottom), (left, right) = (
        sorted(data.draw(st.tuples(at, at).filter(lambda ends: ends[0] != ends[1])))
        for _ in range(2)
    )
    box = (top, left, bottom, right)
    ours, gdals = (window(shared, "a.tif", info, how, box) for how in (ASYNC, gdal_decoder()))
    assert ours.values.dtype == gdals.values.dtype
    np.testing.assert_array_equal(ours.values, gdals.values)
    np.testing.assert_array_equal(ours.known, gdals.known)


@pytest.mark.parametrize(
    "options",
    [
        {"tiled": False, "blockysize": 16, "blockxsize": 200},
        {"compress": "packbits"},
        {"compress": "lzma"},
        {"SPARSE_OK": True},
        {"dtype": "int64"},
        {"photometric": "miniswhite", "bands": 1},
        {"interleave": "band", "compress": "deflate", "predictor": 2},
        {"compress": "jpeg", "photometric": "minisblack"},
        {"compress": "jpeg", "photometric": "minisblack", "bands": 2},
        {"compress": "jpeg", "photometric": "rgb", "bands": 4},
    ],
    ids=str,
)
def test_what_is_not_plain_is_left_to_gdal(host: Host, options: dict[str, Any]) -> None:
    if "SPARSE_OK" in options:
        values = np.zeros((3, 200, 200), dtype="uint8")
        values[:, :64, :64] = 9
        write_scene(host.folder / "a.tif", values, **options)
    else:
        make_scene(host.folder / "a.tif", 200, 200, **options)
    bands = tuple(range(1, options.get("bands", 3) + 1))
    assert facts(host, "a.tif", bands=bands).decoder == gdal_decoder()


def test_a_mask_beside_the_pixels_is_left_to_gdal(host: Host) -> None:
    values = make_values(200, 200)
    shape = {"height": 200, "width": 200, "count": 3, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    place = {"crs": "EPSG:32631", "transform": NORTH_UP}
    path = host.folder / "a.tif"
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **shape, **tiles, **place) as dataset,
    ):
        dataset.write(values)
        dataset.write_mask(np.eye(200, dtype=bool))
    assert facts(host, "a.tif").decoder == gdal_decoder()


def test_of_bands_that_lie_apart_all_must_be_wanted(host: Host) -> None:
    make_scene(host.folder / "a.tif", 200, 200, bands=5, interleave="band")
    assert facts(host, "a.tif", bands=(3, 1)).decoder == gdal_decoder()
    assert facts(host, "a.tif", bands=(3, 1, 5, 4, 2)).decoder == ASYNC


def test_an_operator_and_a_local_file_keep_to_gdal(host: Host) -> None:
    path = make_scene(host.folder / "a.tif", 200, 200)
    gdal = QUICK.model_copy(update={"decoder": "gdal"})
    assert facts(host, "a.tif", gdal).decoder == gdal_decoder()
    with open_reader(str(path), SourcePolicy.local(), QUICK) as reader:
        assert reader.facts(("x",), (1,), None).decoder == gdal_decoder()


def test_without_async_tiff_gdal_is_chosen_and_planned_work_is_given_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene(host.folder / "a.tif", 200, 200)
    monkeypatch.setattr(decoders, "ranged_decoder", lambda: None)
    assert facts(host, "a.tif").decoder == gdal_decoder()
    with pytest.raises(DecoderMissing, match=r"by async-tiff \d.*this machine has gdal \d\.") as no:
        open_reader(host.uri("a.tif"), SourcePolicy.local(), QUICK, decoder=ASYNC)
    assert no.value.retry is Retry.ELSEWHERE
    wanted = QUICK.model_copy(update={"decoder": "async-tiff"})
    with pytest.raises(DecoderMissing, match="GEOGAZE_DECODER"):
        facts(host, "a.tif", wanted)


def test_alpha_that_nobody_asked_for_hides_all_the_same(host: Host) -> None:
    values = make_values(100, 100, bands=4)
    values[3] = np.eye(100) * 255
    write_scene(host.folder / "a.tif", values, photometric="rgb", ALPHA="YES")
    info = facts(host, "a.tif", bands=(2, 1))
    assert info.decoder == ASYNC
    found = window(host, "a.tif", info, ASYNC, (0, 0, 100, 100))
    assert (found.known == np.eye(100, dtype=bool)).all()


@pytest.mark.parametrize("compress", ["deflate", "lzw", "zstd"])
def test_a_cog_as_gdal_writes_it_is_plain(host: Host, tmp_path: Path, compress: str) -> None:
    """With overviews in front of the pixels, and bytes around each tile."""
    file = make_scene(tmp_path / "b.tif", 700, 900, dtype="uint16", nodata=9)
    sizes = {"BLOCKSIZE": 128, "OVERVIEW_COUNT": 2, "PREDICTOR": "YES"}
    copy(file, host.folder / "a.tif", driver="COG", COMPRESS=compress, **sizes)
    info = facts(host, "a.tif", bands=(3, 1))
    assert info.decoder == ASYNC
    ours, gdals = (
        window(host, "a.tif", info, how, (100, 200, 710, 610)) for how in (ASYNC, gdal_decoder())
    )
    np.testing.assert_array_equal(ours.values, gdals.values)
    np.testing.assert_array_equal(ours.known, gdals.known)


def test_neighbouring_tiles_come_by_one_request(host: Host) -> None:
    """A window of 100 tiles, 4 KB each, costs its header and one range."""
    make_scene(host.folder / "a.tif", 640, 640, bands=1)
    with open_reader(host.uri("a.tif"), SourcePolicy.local(), QUICK, decoder=ASYNC) as reader:
        before = len(host.asked)
        reader.pixels((1,), (0, 0, 640, 640), (640, 640))
        assert len(host.asked) - before == 1


def test_ranges_are_not_led_to_where_scenes_may_not_come_from(host: Host) -> None:
    """Also when the host begins to redirect after the scene was opened."""
    make_scene(host.folder / "a.tif", 200, 200)
    policy = SourcePolicy(hosts=(host.name,))
    reader = open_reader(host.uri("a.tif"), policy, QUICK, decoder=ASYNC)
    try:
        host.mood, before = "to https://127.0.0.1:1/a.tif", len(host.asked)
        with pytest.raises(PartUnread, match="not an allowed source"):
            reader.pixels((1,), (0, 0, 200, 200), (200, 200))
        assert len(host.asked) == before + 1
    finally:
        reader.close()
