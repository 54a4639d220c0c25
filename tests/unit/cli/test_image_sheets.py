"""``geogaze image`` with several methods and classes, of a folder, and as textbooks do."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from geogaze.config import Settings
from geogaze.evidence.engines import load_engine
from geogaze.models.registry import find_bundle
from geogaze.models.targets import parse_target
from geogaze.products.make.sheet import Row, draw_sheet
from tests.factories import make_values
from tests.unit.cli.conftest import Geogaze


def picture(height: int = 48, width: int = 80, seed: int = 1) -> NDArray[np.uint8]:
    return np.ascontiguousarray(make_values(height, width, seed=seed).transpose(1, 2, 0))


@pytest.fixture
def chip() -> Path:
    Image.fromarray(picture()).save("chip.png")
    return Path("chip.png")


def test_classes_and_methods_come_on_one_sheet(geogaze: Geogaze, chip: Path) -> None:
    words = ("image", chip, "--model", "tiny", "--class", "road,not boat")
    told = geogaze(*words, "--method", "gradcam, layercam", "--json").last
    pairs = [(each["method"], each["class"]) for each in told["explanations"]]
    assert pairs == [(m, c) for m in ("gradcam", "layercam") for c in ("road", "not boat")]
    singly = geogaze(*words[:-1], "not boat", "--json").last
    assert told["explanations"][1]["probability"] == pytest.approx(singly["probability"], abs=1e-5)
    assert told["sheet"] == "chip-sheet.png"
    sheet = np.asarray(Image.open("chip-sheet.png"))
    alone = np.asarray(Image.open(singly["overlay"]))
    # The second row's first overlay lies a panel to the right.
    shown = sheet[62 + 180 + 46 : 62 + 180 + 46 + 180, 24 + 314 : 24 + 314 + 300]
    expected = cv2.resize(alone, (300, 180), interpolation=cv2.INTER_CUBIC)
    assert abs(shown.astype(int) - expected.astype(int)).mean() < 1


def test_all_methods_explain_the_class_that_is_best(geogaze: Geogaze, chip: Path) -> None:
    told = geogaze("image", chip, "--model", "tiny", "--method", "gradcam,hirescam", "--json").last
    assert {each["class"] for each in told["explanations"]} == {told["top_class"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "gradcam,magic"), "No method 'magic'"),
        (("--class", "road,rod"), "rod"),
    ],
)
def test_a_wrong_word_among_several_is_refused(
    geogaze: Geogaze, chip: Path, words: tuple[str, ...], message: str
) -> None:
    done = geogaze("image", chip, "--model", "tiny", *words)
    assert done.code == 2
    assert message in done.err
    assert list(Path().iterdir()) == [chip]


def test_a_folder_gets_a_page_and_a_table(geogaze: Geogaze, tmp_path: Path) -> None:
    folder = tmp_path / "chips & more"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "a.jpg", "b <1>.png")):
        Image.fromarray(picture(seed=seed)).save(folder / name)
    (folder / "broken.png").write_text("no picture")
    (folder / "notes.txt").write_text("no picture either")
    words = ("image", folder, "--model", "tiny", "--class", "road,boat")
    assert "--out FOLDER" in geogaze(*words).err
    told = geogaze(*words, "--out", "looked", "--json").last
    assert told["images"] == 3
    assert "broken.png" in told["warnings"][0]
    made = {path.name for path in Path("looked").iterdir()}
    assert made == {"index.html", "table.csv", "a.png.png", "a.jpg.png", "b <1>.png"}
    with Path("looked/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["class"]) for row in rows] == [
        *(("a.jpg", "road"), ("a.jpg", "boat"), ("a.png", "road"), ("a.png", "boat")),
        *(("b <1>.png", "road"), ("b <1>.png", "boat"), ("broken.png", "")),
    ]
    alone = geogaze("image", folder / "a.png", "--model", "tiny", "--class", "boat", "--json").last
    assert float(rows[3]["probability"]) == pytest.approx(alone["probability"], abs=1e-5)
    assert rows[3]["top_class"] == alone["top_class"]
    page = Path("looked/index.html").read_text()
    assert "b &lt;1&gt;.png" in page
    assert 'src="b%20%3C1%3E.png"' in page
    assert "http" not in page
    assert "exists" in geogaze(*words, "--out", "looked").err
    assert geogaze(*words, "--out", folder, "--overwrite").code == 2


def test_the_textbook_stretches_picture_and_map(geogaze: Geogaze, chip: Path) -> None:
    words = ("image", chip, "--model", "tiny", "--class", "road", "--normalize", "textbook")
    told = geogaze(*words, "--json").last
    bundle = find_bundle("tiny", Settings().model_folders)
    image = picture()
    size = bundle.input_size
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    engine = load_engine(bundle, Settings(device="cpu"))
    square = np.ascontiguousarray(small.transpose(2, 0, 1)) / np.float32(255)
    window = engine.prepare(square, np.ones((size, size), dtype=bool), ((0.0, 1.0),))
    (found,) = engine.explain_tiles(window, [(0, 0)], (parse_target("road", bundle),))
    heat = np.maximum(found.evidence[0, 0], 0)
    heat = cv2.resize(heat / heat.max(), (80, 48), interpolation=cv2.INTER_LINEAR)
    jet = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    expected = np.clip(image + 0.4 * jet.astype(np.float32), 0, 255)
    shown = np.asarray(Image.open(told["overlay"]))
    assert abs(shown - expected).max() < 2
    assert told["probability"] == pytest.approx(float(found.probabilities[0, 2]), abs=1e-4)


def test_a_sheet_is_as_large_as_its_panels() -> None:
    row = Row("a class whose name is far too long for its panel", float("nan"), [picture()] * 2)
    colours = np.zeros((255, 3), dtype=np.float32)
    sheet = draw_sheet("What", picture(), ["one", "two"], [row] * 3, colours)
    assert sheet.size == (2 * 24 + 3 * 314 - 14, 62 + 3 * (180 + 46) + 52)
    tall = draw_sheet(
        "What", picture(300, 30), ["one"], [row._replace(pictures=[picture()])], colours
    )
    assert tall.width == 2 * 24 + 2 * (190 + 14) - 14
