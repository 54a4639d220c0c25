"""The table of formats: who is chosen, how often a source is looked at, and what closes a scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from geogaze.config import Settings
from geogaze.doors import resolve
from geogaze.errors import SceneReplaced, SceneUnreadable
from geogaze.grid.lattice import Box
from geogaze.processes.explain.planning import make_plan
from geogaze.processes.explain.request import ExplainRequest
from geogaze.scene import readers
from geogaze.scene.geotiff import GeoTiff
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import SourcePolicy
from geogaze.scene.reader import Block, FloatBox, SceneReader, Values
from geogaze.scene.readers import READERS, Format, open_reader
from geogaze.scene.source import Source
from tests.factories import make_scene
from tests.hosts import Host
from tests.unit.scene.rasters import ANY_FILE, RGB, SETTINGS

QUICK = Settings(connect_seconds=1, silence_seconds=1, request_seconds=2)


class Made(SceneReader):
    """A scene of no file, which remembers who was closed."""

    closed: list[str] = []  # noqa: RUF012  the class is the test's notebook

    def __init__(self, source: Source) -> None:
        super().__init__(source.uri, "first")

    def facts(
        self,
        band_names: Sequence[str],
        bands: Sequence[int] | None,
        rescale: Sequence[tuple[float, float]] | None,
    ) -> SceneInfo:
        raise AssertionError("opening a scene asks for no facts")

    def pixels(self, bands: Sequence[int], box: FloatBox, shape: tuple[int, int]) -> Values:
        return Values(np.zeros((len(bands), *shape)), np.ones((len(bands), *shape), dtype=bool))

    def blocks(self, bands: Sequence[int], box: Box) -> Iterator[Block]:
        yield Block("All of it", box)

    def version_now(self) -> str | None:
        return "second" if "changed" in self.uri else "first"

    def close(self) -> None:
        self.closed.append(self.uri)


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One more line in the table, and what was closed."""
    line = Format("made", f"{__name__}:Made", schemes=("made",), suffixes=(".made",))
    monkeypatch.setattr(readers, "READERS", (*READERS, line))
    monkeypatch.setattr(Made, "closed", [])
    return Made.closed


def test_every_reader_is_there_and_whole() -> None:
    for known in READERS:
        reader = resolve(known.reader)
        assert issubclass(reader, SceneReader), known.name
        assert not reader.__abstractmethods__, known.name
    assert len({known.name for known in READERS}) == len(READERS)


@pytest.mark.parametrize(
    "uri", ["made://port", "MADE://port", "port.made", "https://a.b/port.MADE"]
)
def test_what_says_its_format_is_not_looked_at(uri: str, made: list[str]) -> None:
    with open_reader(uri, SourcePolicy(), SETTINGS) as reader:
        assert isinstance(reader, Made)
        assert made == []
    assert made == [uri]


def test_a_file_is_known_by_how_it_starts_whatever_it_is_called(
    scene: Path, tmp_path: Path
) -> None:
    odd = scene.rename(tmp_path / "scene.png")
    with open_reader(str(odd), ANY_FILE, SETTINGS) as reader:
        assert isinstance(reader, GeoTiff)
    odd.write_text("no scene")
    with pytest.raises(SceneUnreadable, match=r"cannot be opened as a GeoTIFF\. It is of no kind"):
        open_reader(str(odd), ANY_FILE, SETTINGS)


def test_any_reader_is_held_to_its_version(made: list[str]) -> None:
    with open_reader("made://port", ANY_FILE, SETTINGS, version="first"):
        pass
    with pytest.raises(SceneReplaced, match="it was other, it is first"):
        open_reader("made://port", ANY_FILE, SETTINGS, version="other")
    assert len(made) == 2, "also one that is refused is closed"
    with (
        pytest.raises(SceneReplaced, match="it was first, it is second"),
        open_reader("made://changed", ANY_FILE, SETTINGS),
    ):
        pass


def test_what_fails_while_a_scene_is_open_is_told_as_it_is(made: list[str]) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        open_reader("made://changed", ANY_FILE, SETTINGS),
    ):
        1 / 0  # noqa: B018
    with (
        pytest.raises(SceneReplaced),
        open_reader("made://changed", ANY_FILE, SETTINGS),
    ):
        raise SceneUnreadable("a block is damaged")
    assert len(made) == 2


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses, each time that somebody looks at one."""
    seen: list[str] = []
    look = Source.look

    def counted(source: Source) -> object:
        seen.append(source.uri)
        return look(source)

    monkeypatch.setattr(Source, "look", counted)
    return seen


def test_a_plan_looks_once_to_open_and_once_to_close(
    host: Host, bundle_folder: Path, looks: list[str]
) -> None:
    make_scene(host.folder / "port.tif")
    uri = host.uri("port.tif")
    request = ExplainRequest(scene=uri, model=str(bundle_folder))
    plan = make_plan(request, QUICK, local=True)
    assert looks == [uri, uri]
    assert plan.scene.version


def test_one_open_is_one_look(host: Host, looks: list[str]) -> None:
    """The host is asked for the start of the file, and then by GDAL."""
    make_scene(host.folder / "port.tif")
    policy = SourcePolicy(hosts=(host.name,))
    with open_reader(host.uri("port.tif"), policy, QUICK) as reader:
        asked = len(host.asked)
        info = reader.facts(RGB, None, None)
        assert info.version == reader.version
        assert len(host.asked) == asked + 1, "whether the header is plain to async-tiff too"
        assert len(looks) == 1
    with open_reader(host.uri("port.tif"), policy, QUICK, version=info.version):
        assert len(looks) == 3
    assert len(looks) == 4
