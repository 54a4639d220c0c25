"""An input format more: one file beside ``geogaze/scene/geotiff.py``, one line in its table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from geogaze.config import Settings
from geogaze.errors import SceneReplaced, SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.processes.explain.request import ExplainRequest
from geogaze.runner.embedded import RunReport
from geogaze.runner.embedded import run as run_job
from geogaze.scene.bands import BandLabel, choose_bands
from geogaze.scene.ground import ground_of
from geogaze.scene.info import SceneInfo
from geogaze.scene.ranges import given_ranges, percentile_ranges
from geogaze.scene.reader import Block, FloatBox, PartUnread, SceneReader, Values
from geogaze.scene.readers import READERS, Format, load_readers
from geogaze.scene.source import Source
from tests.factories import NORTH_UP, make_values, write_scene

# The file: geogaze/scene/arrays.py


class ArrayReader(SceneReader):
    """A NumPy array (bands, h, w) of integers in a file, and beside it a JSON file of its place."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.uri, source.seen.version)
        self._source = source
        path = Path(source.gdal_path)
        self._array = np.load(path, mmap_mode="r", allow_pickle=False)
        self._place = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        """Bands by their names in the place's file; values by the percentiles of every tenth."""
        labels = [BandLabel(name) for name in self._place["bands"]]
        chosen, why = choose_bands(self.uri, labels, band_names, bands)
        crs, affine = CRS.from_user_input(self._place["crs"]), Affine(*self._place["transform"])
        samples = [self._array[band - 1, ::10, ::10].ravel() for band in chosen]
        found, warnings = percentile_ranges(self.uri, chosen, samples)
        _, height, width = self._array.shape
        return SceneInfo(
            uri=self.uri,
            width=width,
            height=height,
            crs_wkt=crs.to_wkt(),
            epsg=crs.to_epsg(),
            transform=tuple(affine)[:6],
            dtype=self._array.dtype.name,
            bands=chosen,
            bands_source=why,
            rescale=given_ranges(rescale, len(chosen)) if rescale else found,
            rescale_source="given" if rescale else "percentiles of every tenth pixel",
            warnings=tuple(warnings),
            version=self.version,
            **ground_of(self.uri, crs.to_wkt(), affine, (height, width))._asdict(),
        )

    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        """The nearest pixels."""
        rows, cols = (
            (start + (np.arange(count) + 0.5) * (stop - start) / count).astype(int)
            for start, stop, count in zip(box[:2], box[2:], shape, strict=True)
        )
        try:
            values = self._array[np.ix_(np.array(bands) - 1, rows, cols)]
        except OSError as error:
            raise PartUnread(str(error)) from error
        return Values(values, np.ones(values.shape, dtype=bool))

    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        """One: a file of an array is well or damaged as a whole."""
        yield Block("The array", (0, 0, *self._array.shape[1:]))

    def version_now(self) -> str | None:
        """By another look at the file."""
        return self._source.look().version

    def close(self) -> None:
        """Nothing is held open but a mapped file, which goes with the reader."""


# The line in geogaze/scene/readers.py

LINE = Format("NumPy", "geogaze.scene.arrays:ArrayReader", starts=(b"\x93NUMPY",))


@pytest.fixture
def arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both put in their places."""
    file = ModuleType("geogaze.scene.arrays")
    file.ArrayReader = ArrayReader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "geogaze.scene.arrays", file)
    monkeypatch.setattr("geogaze.scene.readers.READERS", (*READERS, LINE))


VALUES = make_values(200, 260, seed=3)


def write_array(folder: Path, names: Sequence[str] = ("red", "green", "blue")) -> Path:
    place = {"crs": "EPSG:32631", "transform": tuple(NORTH_UP)[:6], "bands": names}
    (folder / "port.json").write_text(json.dumps(place))
    np.save(folder / "port.npy", VALUES)
    return folder / "port.npy"


def run(scene: Path, out: Path, bundle: Path, **choices: Any) -> RunReport:
    request = ExplainRequest(scene=str(scene), model=str(bundle), **choices)
    return run_job(request, out, Settings())


@pytest.mark.parametrize("gsd", [None, 1.0])
def test_a_scene_of_another_format_goes_all_the_way(
    arrays: None, tmp_path: Path, bundle_folder: Path, gsd: float | None
) -> None:
    """And to the very heat of the same pixels in a GeoTIFF, where none is resampled."""
    rescale = ((0.0, 255.0),)
    report = run(write_array(tmp_path), tmp_path / "npy", bundle_folder, rescale=rescale, gsd=gsd)
    assert report.plan.scene.bands_source == "descriptions"
    assert {"heat-boat", "overlay-boat", "tiles", "preview", "item"} <= set(report.assets)
    tiff = write_scene(tmp_path / "port.tif", VALUES)
    wanted = run(tiff, tmp_path / "tif", bundle_folder, rescale=rescale, gsd=gsd)
    with (
        rasterio.open(report.assets["heat-boat"]) as heat,
        rasterio.open(wanted.assets["heat-boat"]) as expected,
    ):
        assert heat.crs == expected.crs
        assert heat.transform == expected.transform
        assert heat.shape == expected.shape
        same = (heat.read(1) == expected.read(1)).all()
    assert same == (gsd is None)


def test_it_is_held_to_its_version_and_to_the_models_bands(
    arrays: None, tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = write_array(tmp_path, ["blue", "red", "green"])
    facts = ArrayReader.facts

    def replaced(reader: ArrayReader, *choices: Any) -> SceneInfo:
        np.save(scene, VALUES + 1)
        return facts(reader, *choices)

    assert run(scene, tmp_path / "heat", bundle_folder).plan.scene.bands == (2, 3, 1)
    monkeypatch.setattr(ArrayReader, "facts", replaced)
    with pytest.raises(SceneReplaced):
        run(scene, tmp_path / "other", bundle_folder)


def test_without_its_line_it_is_no_scene(tmp_path: Path, bundle_folder: Path) -> None:
    with pytest.raises(SceneUnreadable, match="It is of no kind known here"):
        run(write_array(tmp_path), tmp_path / "heat", bundle_folder)


def test_a_forgotten_reader_fails_before_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    load_readers()
    monkeypatch.setattr("geogaze.scene.readers.READERS", (*READERS, LINE))
    with pytest.raises(LookupError, match=r"geogaze\.scene\.arrays"):
        load_readers()
