"""What may be read: files, buckets and hosts that an operator allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.enums import Resampling

from geogaze.config import Settings
from geogaze.errors import SceneUnreadable
from geogaze.scene.policy import SourcePolicy, uploads_place
from geogaze.scene.rasterfile import open_dataset
from geogaze.scene.readers import open_reader
from tests.factories import make_scene
from tests.unit.scene.rasters import ANY_FILE, SETTINGS, info_of, source_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The one allowed folder, with a scene in it and a secret beside it."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    make_scene(allowed / "scene.tif", 20, 20)
    make_scene(tmp_path / "secret.tif", 20, 20)
    return allowed


@pytest.fixture
def policy(folder: Path) -> SourcePolicy:
    return SourcePolicy((folder,), buckets=("imagery",), hosts=("maps.example",))


def test_allowed_files_open_by_path_and_by_file_uri(folder: Path, policy: SourcePolicy) -> None:
    spaced = make_scene(folder / "a scene.tif", 20, 20)
    assert policy.gdal_path(str(spaced)) == str(spaced)
    assert policy.gdal_path(spaced.as_uri()) == str(spaced)
    assert policy.gdal_path(f"{folder}/sub/../scene.tif") == str(folder / "scene.tif")


def test_symlinks_within_the_folder_are_followed(folder: Path, policy: SourcePolicy) -> None:
    (folder / "link.tif").symlink_to(folder / "scene.tif")
    assert policy.gdal_path(str(folder / "link.tif")) == str(folder / "scene.tif")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s3://imagery/a/b.tif", "/vsis3/imagery/a/b.tif"),
        ("https://maps.example/a.tif", "/vsicurl/https://maps.example/a.tif"),
        ("https://maps.example/a b.tif?k=1", "/vsicurl/https://maps.example/a%20b.tif?k=1"),
        ("https://maps.example/a%20b.tif", "/vsicurl/https://maps.example/a%20b.tif"),
        ("https://maps.example:443/a.tif", "/vsicurl/https://maps.example:443/a.tif"),
        ("s3://imagery/tank #1?.tif", "/vsis3/imagery/tank #1?.tif"),
        ("HTTPS://MAPS.example/a.tif", "/vsicurl/https://MAPS.example/a.tif"),
    ],
)
def test_allowed_buckets_and_hosts(policy: SourcePolicy, uri: str, path: str) -> None:
    assert policy.gdal_path(uri) == path


@pytest.mark.parametrize(
    "uri",
    [
        "{folder}/../secret.tif",
        "file://{folder}/../secret.tif",
        "file://{folder}/%2e%2e/secret.tif",
        "{folder}-not/scene.tif",
        "/etc/passwd",
        "/vsicurl/https://maps.example/a.tif",
        "/vsis3/imagery/a.tif",
        "/vsizip/{folder}/scene.tif",
        "GTIFF_DIR:1:{folder}/scene.tif",
        "<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>",
        "s3://other/a.tif",
        "s3://imagery.evil/a.tif",
        "https://evil.example/a.tif",
        "https://maps.example.evil/a.tif",
        "https://maps.example@evil.example/a.tif",
        "https://user@maps.example/a.tif",
        "https://user:word@maps.example:443/a.tif",
        "https://maps.example:8080/a.tif",
        "https://maps.example:80/a.tif",
        "https://evil.example#@maps.example/a.tif",
        "https://evil.example?@maps.example/a.tif",
        "http://maps.example/a.tif",
        "ftp://maps.example/a.tif",
        "gs://imagery/a.tif",
    ],
)
def test_sources_outside_the_policy_are_refused(
    folder: Path, policy: SourcePolicy, uri: str
) -> None:
    uri = uri.format(folder=folder)
    with pytest.raises(SceneUnreadable, match="not an allowed source") as refusal:
        policy.gdal_path(uri)
    assert repr(uri) in str(refusal.value)
    for allowed in (str(folder), "imagery", "maps.example"):
        assert allowed in str(refusal.value)


def test_symlinks_out_of_the_folder_are_refused(folder: Path, policy: SourcePolicy) -> None:
    (folder / "file.tif").symlink_to(folder.parent / "secret.tif")
    (folder / "up").symlink_to(folder.parent)
    for name in ("file.tif", "up/secret.tif"):
        with pytest.raises(SceneUnreadable, match="not an allowed source"):
            policy.gdal_path(str(folder / name))


@pytest.mark.parametrize(
    "uri",
    [
        "s3://imagery/../other/a.tif",
        "s3://imagery",
        "{folder}/scene\0.tif",
        "file://{folder}/%00.tif",
        "https://[",
        "{folder}/" + "x" * 300 + ".tif",
        "{folder}/loop.tif",
    ],
    ids=["bucket traversal", "no key", "NUL", "coded NUL", "half IPv6", "long", "symlink loop"],
)
def test_malformed_sources_are_refused_like_others(
    folder: Path, policy: SourcePolicy, uri: str
) -> None:
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    with pytest.raises(SceneUnreadable):
        policy.gdal_path(uri.format(folder=folder))


def test_nothing_is_allowed_by_default(scene: Path) -> None:
    for uri in (str(scene), "s3://imagery/a.tif", "https://maps.example/a.tif"):
        with pytest.raises(SceneUnreadable, match="no folders, no s3 buckets, no https hosts"):
            SourcePolicy().gdal_path(uri)


def test_users_at_their_own_terminal_read_with_their_own_rights(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = SourcePolicy.local()
    assert policy.gdal_path(str(scene)) == str(scene)
    assert policy.gdal_path("https://any.example:8443/a.tif") == (
        "/vsicurl/https://any.example:8443/a.tif"
    )
    assert policy.gdal_path("s3://any-bucket/a.tif") == "/vsis3/any-bucket/a.tif"
    monkeypatch.setenv("HOME", str(scene.parent))
    assert policy.gdal_path(f"~/{scene.name}") == str(scene)


@pytest.mark.parametrize(
    "uri", ["http://any.example/a.tif", "gs://b/a.tif", "s3://UP/a.tif", "https://me@x.example/a"]
)
def test_users_at_their_own_terminal_are_shown_no_servers_list(uri: str) -> None:
    with pytest.raises(SceneUnreadable, match="s3://BUCKET/KEY or https://HOST/PATH") as told:
        SourcePolicy.local().gdal_path(uri)
    assert "GEOGAZE_" not in str(told.value)
    assert "llowed" not in str(told.value)


def test_policies_come_from_the_settings(folder: Path) -> None:
    settings = Settings(source_folders=(folder,), source_buckets=("b",), source_hosts=("h",))
    found = SourcePolicy.of(settings)
    assert found == SourcePolicy((folder,), ("b",), ("h",), uploads_place(settings))


def test_what_was_uploaded_is_read_and_its_folder_told_to_nobody(tmp_path: Path) -> None:
    settings = Settings(storage=str(tmp_path / "kept"))
    policy, uploads = SourcePolicy.of(settings), Path(uploads_place(settings))
    (uploads / "1").mkdir(parents=True)
    scene = make_scene(uploads / "1" / "scene.tif")
    assert policy.gdal_path(str(scene)) == str(scene)
    for other in (uploads.parent / "jobs" / "1" / "heat.tif", uploads / ".." / "jobs" / "x.tif"):
        with pytest.raises(SceneUnreadable, match="not an allowed source") as refused:
            policy.gdal_path(str(other))
        assert "uploads" not in str(refused.value).replace(str(other), "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent.tif", r"There is no file '.*absent\.tif'\."),
        (".", r"is a folder; name one GeoTIFF in it\."),
        ("caf\udce9.tif", "its name is not UTF-8"),
    ],
)
def test_what_is_no_file_is_named(folder: Path, policy: SourcePolicy, name: str, told: str) -> None:
    with pytest.raises(SceneUnreadable, match=told):
        policy.gdal_path(f"{folder}/{name}")


def test_users_at_their_own_terminal_are_shown_what_a_folder_has(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(SceneUnreadable, match=r"in it, such as 'scene\.tif'"):
        SourcePolicy.local().gdal_path(str(folder))
    with pytest.raises(SceneUnreadable, match="there is none in it"):
        SourcePolicy.local().gdal_path(str(folder / "empty"))


def test_a_colon_in_a_files_name_is_no_scheme(folder: Path) -> None:
    scene = make_scene(folder / "S2A:x.tif", 20, 20)
    policy = SourcePolicy((folder,))
    assert policy.gdal_path(str(scene)) == str(scene)
    with pytest.raises(SceneUnreadable, match=r"There is no file 'S2A:x\.tif'"):
        SourcePolicy.local().gdal_path("S2A:x.tif")


def test_servers_know_nobodys_home(policy: SourcePolicy) -> None:
    with pytest.raises(SceneUnreadable, match="cannot know whose home ~ is"):
        policy.gdal_path("~/scene.tif")


def test_a_file_uri_of_another_machine_is_no_file_here(folder: Path, policy: SourcePolicy) -> None:
    with pytest.raises(SceneUnreadable, match=r"on the machine 'there'.*'file:///there"):
        policy.gdal_path(f"file://there{folder}/scene.tif")
    assert policy.gdal_path(f"file://localhost{folder}/scene.tif") == f"{folder}/scene.tif"


def test_hosts_with_ports_mean_those_ports(policy: SourcePolicy) -> None:
    uri = "https://maps.example:8443/a.tif"
    with pytest.raises(SceneUnreadable, match="not an allowed source"):
        policy.gdal_path(uri)
    other = SourcePolicy(hosts=("Maps.example:8443",))
    assert other.gdal_path(uri) == f"/vsicurl/{uri}"
    with pytest.raises(SceneUnreadable, match="not an allowed source"):
        other.gdal_path("https://maps.example/a.tif")


def assert_no_geotiff(path: Path) -> str:
    with (
        pytest.raises(SceneUnreadable, match=rf"'{path}' cannot be opened as a GeoTIFF") as told,
        open_reader(str(path), ANY_FILE, SETTINGS),
    ):
        pass
    return str(told.value)


STARTS = {
    "WebP picture": b"RIFF\0\0\0\0WEBPVP8 ",
    "HEIC or AVIF picture": b"\0\0\0\x18ftypheic",
    "HDF5 or NetCDF file. Convert it": b"\x89HDF\r\n\x1a\n",
    "shapefile file, which holds shapes": b"\0\0\x27\x0a",
    "GeoPackage file, which holds shapes": b"SQLite format 3\0",
    "ZIP archive": b"PK\x03\x04",
    "web page": b"\n<!DOCTYPE HTML><html>",
    "empty": b"",
    "no kind known here. Convert it": b"no raster at all",
}


@pytest.mark.parametrize("what", STARTS)
def test_what_is_no_geotiff_gets_its_own_advice(tmp_path: Path, what: str) -> None:
    """Whatever it is called."""
    path = tmp_path / "scene.tif"
    path.write_bytes(STARTS[what])
    told = assert_no_geotiff(path)
    assert what in told
    assert ("geogaze image" in told) == what.endswith("picture")


def test_a_tiff_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(b"II*\0")
    assert_no_geotiff(path)


def test_files_beside_the_scene_are_not_read(scene: Path) -> None:
    """Nor may they change what the scene says: an upload could bring them."""
    scene.with_name("scene.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>7</NoDataValue></PAMRasterBand>"
        "</PAMDataset>"
    )
    np.zeros(9).tofile(scene.with_name("scene.tif.msk"))
    with rasterio.open(scene) as dataset:
        assert dataset.nodata == 7
    with open_dataset(source_of(scene), "GTiff") as dataset:
        assert dataset.nodata is None
        assert dataset.files == [str(scene)]
    info_of(scene)
    assert sorted(p.name for p in scene.parent.glob("scene.tif*")) == [
        "scene.tif",
        "scene.tif.aux.xml",
        "scene.tif.msk",
    ]


def test_overviews_beside_the_scene_are_not_read(scene: Path) -> None:
    """They may show something else than the scene."""
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(scene, "r+") as dataset:
        dataset.build_overviews([2], Resampling.nearest)
    assert scene.with_name("scene.tif.ovr").exists()
    with rasterio.open(scene) as dataset:
        assert dataset.overviews(1) == [2]
    with open_dataset(source_of(scene), "GTiff") as dataset:
        assert dataset.overviews(1) == []


def test_scenes_over_the_pixel_cap_are_refused(scene: Path) -> None:
    exact = Settings(max_scene_pixels=260 * 200)
    info_of(scene, settings=exact)
    with pytest.raises(SceneUnreadable, match=rf"'{scene}' has 52,000 pixels; at most 51,999"):
        info_of(scene, settings=Settings(max_scene_pixels=260 * 200 - 1))


def test_scenes_of_huge_internal_blocks_are_refused(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "scene.tif", blockxsize=256, blockysize=128)
    info_of(path)
    with pytest.raises(SceneUnreadable, match=rf"'{path}' has internal blocks of 128 × 256"):
        info_of(path, settings=Settings(max_block_bytes=128 * 256))
