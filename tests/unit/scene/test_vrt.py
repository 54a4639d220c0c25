"""VRTs: what they lay together is read as GDAL reads it, and what they compute is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from geogaze.errors import GeogazeError, SceneUnreadable
from geogaze.scene import hrefs
from geogaze.scene.policy import SourcePolicy
from tests.factories import NORTH_UP, make_values, write_scene
from tests.hosts import Host
from tests.unit.scene.mosaics import described, four, moved, pixels_of

SOURCE = """<{kind}Source><SourceFilename relativeToVRT="1">{file}</SourceFilename>
<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="110" ySize="90"/>
<DstRect xOff="{x}" yOff="{y}" xSize="110" ySize="90"/>{more}</{kind}Source>"""


def vrt(
    path: Path,
    sources: Callable[[int], str],
    *,
    size: tuple[int, int] = (170, 210),
    head: str = "",
    bands: int = 3,
    of_band: str = "",
    of_dataset: str = "",
) -> Path:
    """A VRT on the grid of the factories' scenes; ``sources`` gives those of a band."""
    transform = ", ".join(map(str, NORTH_UP.to_gdal()))
    written = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}" {of_band}>'
        f"<ColorInterp>{('Red', 'Green', 'Blue')[band - 1]}</ColorInterp>"
        f"{sources(band)}</VRTRasterBand>"
        for band in range(1, bands + 1)
    )
    path.write_text(
        f'{head}<VRTDataset rasterXSize="{size[1]}" rasterYSize="{size[0]}" {of_dataset}>'
        f"<SRS>EPSG:32631</SRS><GeoTransform>{transform}</GeoTransform>{written}</VRTDataset>"
    )
    return path


def source(
    file: str, band: int, x: float = 0, y: float = 0, kind: str = "Simple", more: str = ""
) -> str:
    return SOURCE.format(file=file, band=band, x=x, y=y, kind=kind, more=more)


PLACES = {"nw.tif": (0, 0), "ne.tif": (100, 0), "sw.tif": (0, 80), "se.tif": (100, 80)}


def mosaic(band: int) -> str:
    return "".join(source(file, band, *at) for file, at in PLACES.items())


def test_a_mosaic_is_read_to_the_pixel(tmp_path: Path) -> None:
    """The last of its files shows, as in GDAL; its own grid is the scene's."""
    four(tmp_path)
    path = vrt(tmp_path / "all.vrt", mosaic, head='<?xml version="1.0" encoding="UTF-8"?>\n')
    info = described(path)
    with rasterio.open(path) as wanted:
        assert (info.affine, info.height, info.width) == (wanted.transform, *wanted.shape)
        found = pixels_of(info)
        np.testing.assert_array_equal(found.values, wanted.read())
    assert found.known.all()
    assert info.bands_source == "colours"
    assert [Path(file).name for file in info.files] == ["se.tif", "sw.tif", "ne.tif", "nw.tif"]


def test_a_stack_and_a_part_of_files_are_read_to_the_pixel(tmp_path: Path) -> None:
    """Bands of several files, in another order, and no more than the VRT's own pixels."""
    four(tmp_path)
    files = ["nw.tif", "ne.tif", "sw.tif"]
    path = vrt(
        tmp_path / "stack.vrt", lambda band: source(files[band - 1], 4 - band, 5, 7), size=(90, 100)
    )
    info = described(path)
    with rasterio.open(path) as wanted:
        values, known = pixels_of(info)
        np.testing.assert_array_equal(values, wanted.read())
    assert known[:, 7:, 5:].all()
    assert not known[:, :7].any()
    assert [piece.bands for piece in info.pieces] == [(0, 0, 1), (0, 2, 0), (3, 0, 0)]
    assert described(path, bands=[3, 2, 1]).pieces[0].bands == (1, 0, 0)


def test_nodata_that_it_declares_holds(tmp_path: Path) -> None:
    values = make_values(90, 110)
    values[:, 30:40] = 77
    write_scene(tmp_path / "a.tif", values)
    path = vrt(
        tmp_path / "a.vrt",
        lambda band: source("a.tif", band, kind="Complex", more="<NODATA>77</NODATA>"),
        size=(90, 110),
    )
    with rasterio.open(path) as wanted:
        found = pixels_of(described(path))
        np.testing.assert_array_equal(found.values * found.known, wanted.read())
    np.testing.assert_array_equal(found.known, values != 77)


def test_files_of_other_pixels_are_resampled_into_their_place(tmp_path: Path) -> None:
    coarse = make_values(45, 55)
    write_scene(tmp_path / "coarse.tif", coarse)
    text = source("coarse.tif", 1).replace(
        'xSize="110" ySize="90"/>\n<Dst', 'xSize="55" ySize="45"/>\n<Dst'
    )
    path = vrt(
        tmp_path / "a.vrt",
        lambda band: text.replace("<SourceBand>1", f"<SourceBand>{band}"),
        size=(90, 110),
    )
    values, known = pixels_of(described(path))
    assert known.all()
    means = values.reshape(3, 45, 2, 55, 2).mean(axis=(2, 4))
    assert np.abs(means - coarse).mean() < 0.25 * coarse.std()


def refusal(path: Path, policy: SourcePolicy | None = None) -> str:
    with pytest.raises(GeogazeError) as told:
        described(path, policy=policy or SourcePolicy.local())
    return str(told.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"of_band": 'subClass="VRTDerivedRasterBand"'}, "band 1 is computed"),
        ({"of_dataset": 'subClass="VRTWarpedDataset"'}, "computed (VRTWarpedDataset)"),
        ({"head": "<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'>"}, "entities"),
        ({"head": "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'bb'>]>"}, "entities"),
        ({"size": (0, 10)}, "no number"),
    ],
)
def test_what_computes_or_expands_is_refused(
    tmp_path: Path, change: dict[str, str], why: str
) -> None:
    four(tmp_path)
    path = vrt(tmp_path / "a.vrt", mosaic, **change)  # type: ignore[arg-type]
    path.write_text(path.read_text().replace('rasterYSize="0"', 'rasterYSize="1e999"'))
    assert why in refusal(path)


@pytest.mark.parametrize(
    "more",
    [
        "<ScaleRatio>2</ScaleRatio>",
        "<LUT>0:0,255:9</LUT>",
        "<OpenOptions><OOI key='OVERVIEW_LEVEL'>0</OOI></OpenOptions>",
        "<Kernel normalized='1'><Size>3</Size></Kernel>",
        "<PixelFunctionCode>import os</PixelFunctionCode>",
    ],
)
def test_sources_that_compute_are_refused(tmp_path: Path, more: str) -> None:
    four(tmp_path)
    path = vrt(tmp_path / "a.vrt", lambda band: source("nw.tif", band, kind="Complex", more=more))
    told = refusal(path)
    assert f"has <{more[1:].partition('>')[0].split()[0]}>, and nothing is computed here" in told


def test_expressions_of_a_band_and_odd_masks_are_refused(tmp_path: Path) -> None:
    four(tmp_path)
    path = vrt(tmp_path / "a.vrt", mosaic)
    text = path.read_text()
    for odd in ("PixelFunctionType", "KernelFilteredSource", "ArraySource"):
        path.write_text(text.replace("<SimpleSource>", f"<{odd}>sum</{odd}><SimpleSource>", 1))
        assert f"<{odd}>" in refusal(path)
    one = "<SimpleSource><SourceBand>{}</SourceBand></SimpleSource>"
    mask = f"<MaskBand><VRTRasterBand>{one}</VRTRasterBand></MaskBand>"
    path.write_text(text.replace("</VRTDataset>", mask.format("mask,1") + "</VRTDataset>"))
    described(path)
    path.write_text(text.replace("</VRTDataset>", mask.format("1") + "</VRTDataset>"))
    assert "its mask is not those of its files" in refusal(path)


@pytest.mark.parametrize(
    "href",
    [
        "{outside}/secret.tif",
        "../secret.tif",
        "file://{outside}/secret.tif",
        "/vsizip/{outside}/a.zip/a.tif",
        "/vsicurl/https://169.254.169.254/latest",
        "/vsicurl/http://10.0.0.1/a.tif",
        "/vsis3/other/a.tif",
        "/vsimem/a.tif",
        "/vsicurl?url=https://a.b/c.tif",
        "vrt://{outside}/secret.tif?bands=1",
        "GTIFF_DIR:1:{outside}/secret.tif",
        "<![CDATA[<VRTDataset rasterXSize='1' rasterYSize='1'/>]]>",
    ],
)
def test_files_outside_of_what_is_allowed_are_refused(tmp_path: Path, href: str) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    four(folder)
    write_scene(tmp_path / "secret.tif", make_values(90, 110))
    href = href.format(outside=tmp_path)
    path = vrt(folder / "a.vrt", lambda band: source(href, band))
    told = refusal(path, SourcePolicy(folders=(folder,), hosts=("a.b",), buckets=("b",)))
    assert "not an allowed source" in told or "is not followed" in told or "is no file" in told


def test_a_vrt_in_a_vrt_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    path = vrt(tmp_path / "loop.vrt", lambda band: source("loop.vrt", band))
    assert "it names another VRT ('loop.vrt')" in refusal(path)
    vrt(tmp_path / "inner.tif", lambda band: source("loop.vrt", band))
    path = vrt(tmp_path / "outer.vrt", lambda band: source("inner.tif", band))
    assert "inner.tif' (VRT) cannot be one of a scene's files" in refusal(path)


def test_a_vrt_from_elsewhere_leads_to_neighbours_and_nowhere_else(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Private addresses are looked up as any are; the document's own host is known to be meant."""
    four(host.folder)
    vrt(host.folder / "a.vrt", mosaic)
    info = described(host.uri("a.vrt"))
    assert pixels_of(info).known.all()
    private = host.uri("nw.tif")
    local = vrt(tmp_path / "local.vrt", lambda band: source(private, band))
    assert "its host lies in a private network" in refusal(local)
    vrt(host.folder / "b.vrt", lambda band: source("file:///etc/hosts", band))
    with pytest.raises(SceneUnreadable, match="names no file of this machine"):
        described(host.uri("b.vrt"))
    monkeypatch.setattr(hrefs, "_is_public", lambda name: True)
    assert described(local).files == (private,)


def test_a_redirect_leads_into_no_private_network_from_outside(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    four(host.folder)
    host.mood, inside = f"to {host.uri('nw.tif').replace('127.0.0.1', 'localhost')}", "localhost"
    monkeypatch.setattr(hrefs, "_is_public", lambda name: name != inside)
    with pytest.raises(SceneUnreadable, match=r"ne\.tif' leads to .*private network"):
        described(host.uri("ne.tif"))


def test_bad_documents_are_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.vrt"
    for text, why in (
        ("<VRTDataset>", "it is no XML"),
        ("<?xml version='1.0'?><kml/>", "its root is <kml>"),
        ("<VRTDataset rasterXSize='3' rasterYSize='3'/>", "it says no CRS"),
    ):
        path.write_text(text)
        assert why in refusal(path)
    path.write_bytes(b"<VRTDataset>\xff\xfe")
    assert "no UTF-8 text" in refusal(path)
    path.write_text("<VRTDataset>" + " " * (16 * 2**20))
    assert "more than 16 MiB" in refusal(path)
    assert "says no band" not in refusal(vrt(path, lambda band: ""))


def test_sources_off_its_pixels_are_no_pieces(tmp_path: Path) -> None:
    four(tmp_path)
    path = vrt(
        tmp_path / "a.vrt",
        lambda band: source("nw.tif", band) + source("se.tif", band, 500, 500),
        size=(90, 110),
    )
    info = described(path)
    assert [Path(piece.uri).name for piece in info.pieces] == ["nw.tif"]
    assert info.affine == moved(0, 0)


def test_a_vrt_disguised_as_tif_is_never_gdals(scene: Path, tmp_path: Path) -> None:
    """It is a list of files here, each of which must be allowed."""
    disguised = scene.with_name("innocent.tif")
    rasterio.shutil.copy(scene, disguised, driver="VRT")
    with rasterio.open(disguised) as dataset:
        assert dataset.driver == "VRT"  # GDAL would open it
    assert described(disguised).files == (str(scene),)
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    alone = shutil.copy(disguised, allowed)
    (allowed / scene.name).symlink_to(scene)
    assert "not an allowed source" in refusal(Path(alone), SourcePolicy((allowed,)))
