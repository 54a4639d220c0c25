"""Pyramids of encoded blocks: every pixel in its place, at every resolution, in a true COG."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rio_cogeo.cogeo import cog_validate

from geogaze.grid.canvas import BLOCK, Canvas
from geogaze.grid.lattice import Box
from geogaze.products.make.cog import departures
from geogaze.products.make.drawing import Paint, Picture, Scenery
from geogaze.products.make.drawn import layer_segment, put_drawn, scene_segment
from geogaze.products.make.encoded import BlockAt, Pyramid
from tests.factories import NORTH_UP, ROTATED

UTM = rasterio.CRS.from_epsg(32631).to_wkt()
LOCAL = (
    'PROJCS["Site",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",3.3],'
    'PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def soft(height: int, width: int) -> NDArray[np.uint8]:
    """An image (h, w, 3) BGR that survives JPEG, and is alike nowhere."""
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    planes = [
        128 + 100 * np.sin(rows / 90 + cols / 230),
        128 + 100 * np.cos(rows / 150 - cols / 110),
        128 + 80 * np.sin(cols / 70) * np.cos(rows / 200),
    ]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def write(
    target: Path,
    image: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    crs: str = UTM,
    transform: Affine = NORTH_UP,
    tags: dict[str, str] | None = None,
    painted: Callable[[Box], Paint] = lambda box: lambda place, image: None,
) -> list[Box]:
    """Draw an image into a file, with what ``painted`` says of a unit; the units' boxes."""
    boxes: list[Box] = []
    canvas = Canvas(*valid.shape)

    def draw(unit: int) -> Iterator[bytes]:
        box = canvas.units.rectangle(unit)
        boxes.append(box)
        part = np.s_[box[0] : box[2], box[1] : box[3]]
        scenery = Scenery(Picture(image[part], valid[part]), canvas.level)
        yield scene_segment(scenery)
        yield layer_segment(scenery.under(painted(box)))

    with tempfile.TemporaryFile() as spool:
        pyramid = Pyramid(image.shape[1], image.shape[0], BLOCK, spool)
        put_drawn(pyramid, canvas, draw)
        pyramid.write(target, crs=crs, transform=transform, tags=tags or {})
    return boxes


def halved(
    image: NDArray[np.float64], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The slow way: each pixel the mean of the valid ones of its 2 × 2."""
    height, width = valid.shape
    small = np.zeros((-(-height // 2), -(-width // 2), 3))
    seen = np.zeros(small.shape[:2], dtype=bool)
    for row in range(small.shape[0]):
        for col in range(small.shape[1]):
            part = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
            known = image[part][valid[part]]
            seen[row, col] = len(known) > 0
            if len(known):
                small[row, col] = known.mean(axis=0)
    return small, seen


def bgr(dataset: rasterio.DatasetReader) -> NDArray[np.int64]:
    return dataset.read()[::-1].transpose(1, 2, 0).astype(int)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (300, 200), (512, 512), (513, 1025), (2048, 2049), (2600, 4100), (600, 9000)],
)
def test_every_pixel_lies_in_its_place(tmp_path: Path, height: int, width: int) -> None:
    image, valid = soft(height, width), np.ones((height, width), dtype=bool)
    boxes = write(tmp_path / "a.tif", image, valid)
    drawn = sum(np.prod([box[2] - box[0], box[3] - box[1]]) for box in boxes)
    assert drawn == height * width, "each once"
    assert departures(tmp_path / "a.tif", BLOCK) == []
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert (dataset.height, dataset.width, dataset.transform) == (height, width, NORTH_UP)
        assert np.abs(bgr(dataset) - image).max() <= 12
        assert (dataset.dataset_mask() == 255).all()
        factors = dataset.overviews(1)
    for level, factor in enumerate(factors):
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as smaller:
            assert smaller.shape == (-(-height // factor), -(-width // factor))
            middle = image[factor // 2 :: factor, factor // 2 :: factor].astype(int)
            rows, cols = middle.shape[:2]
            assert np.abs(bgr(smaller)[:rows, :cols] - middle).mean() < 3 + factor / 3
    if min(height, width) > 512:  # of others the validator takes blocks for strips
        assert cog_validate(tmp_path / "a.tif", strict=True)[:2] == (True, [])


def test_overviews_are_means_of_what_is_valid(tmp_path: Path) -> None:
    image = soft(701, 1037)
    rows, cols = np.indices(image.shape[:2])
    valid = (rows - 300) ** 2 + (cols - 500) ** 2 > 90_000
    valid[:, 1030:] = False
    write(tmp_path / "a.tif", image, valid)
    means, seen = image.astype(float), valid
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, valid)
        levels = len(dataset.overviews(1))
    assert levels == 2
    for level in range(levels):
        means, seen = halved(means, seen)
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as smaller:
            np.testing.assert_array_equal(smaller.dataset_mask() > 0, seen)
            # What is invalid is black, and JPEG carries that a few pixels on.
            inner = cv2.erode(seen.astype(np.uint8), np.ones((17, 17))) > 0
            assert np.abs(bgr(smaller) - means)[inner].max() <= 12


@pytest.mark.parametrize(("height", "width"), [(700, 500), (1300, 2700), (4200, 4300)])
def test_a_layer_over_some_blocks_is_as_if_all_were_drawn_anew(
    tmp_path: Path, height: int, width: int
) -> None:
    """At every resolution, to the byte: what is shared with the scene, and what is not."""
    image, valid = soft(height, width), np.ones((height, width), dtype=bool)
    valid[:40, :300] = False
    hot = image.copy()
    for top, left in ((0, 0), (height // 2, width - 90), (height - 60, width // 3)):
        hot[top : top + 60, left : left + 90] = (20, 40, 250)
    calls: list[BlockAt] = []

    def painted(box: Box) -> Paint:
        def paint(place: BlockAt, part: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
            top, left = (start + BLOCK * at for start, at in zip(box[:2], place, strict=True))
            new = hot[top : top + part.shape[0], left : left + part.shape[1]]
            calls.append((top, left))
            return None if np.array_equal(new, part) else new

        return paint

    write(tmp_path / "layer.tif", image, valid, painted=painted)
    write(tmp_path / "anew.tif", hot, valid)
    assert (tmp_path / "layer.tif").read_bytes() == (tmp_path / "anew.tif").read_bytes()
    assert len(calls) == len(set(calls)) == -(-height // BLOCK) * -(-width // BLOCK)


def test_blocks_without_a_valid_pixel_take_no_room(tmp_path: Path) -> None:
    image, valid = soft(2100, 2100), np.ones((2100, 2100), dtype=bool)
    write(tmp_path / "whole.tif", image, valid)
    valid[:1600] = False
    write(tmp_path / "part.tif", image, valid)
    with rasterio.open(tmp_path / "part.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, valid)
    sizes = [(tmp_path / name).stat().st_size for name in ("part.tif", "whole.tif")]
    assert sizes[0] < 0.6 * sizes[1], "two of five rows of blocks"


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
@pytest.mark.parametrize("crs", [UTM, LOCAL], ids=["code", "wkt"])
def test_it_says_where_it_lies_and_what_it_is(tmp_path: Path, crs: str, transform: Affine) -> None:
    tags = {"AREA_OR_POINT": "Area", "GEOGAZE_CLASS": 'Schöne "Häfen" & <Docks>'}
    image, valid = soft(600, 600), np.ones((600, 600), dtype=bool)
    write(tmp_path / "a.tif", image, valid, crs, transform, tags)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.crs == rasterio.CRS.from_wkt(crs)
        assert dataset.transform == pytest.approx(transform)
        assert dataset.tags() == tags
        assert dataset.profile["compress"] == "jpeg"
        assert dataset.profile["photometric"] == "ycbcr"
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_what_a_viewer_reads_first_lies_first(tmp_path: Path) -> None:
    image, valid = soft(2100, 2100), np.ones((2100, 2100), dtype=bool)
    write(tmp_path / "a.tif", image, valid)
    data = (tmp_path / "a.tif").read_bytes()
    assert data[:4] == b"II+\0"
    starts, at = [], struct.unpack_from("<Q", data, 8)[0]
    while at:  # directory after directory
        (count,) = struct.unpack_from("<Q", data, at)
        entries = {
            number: (items, value)
            for number, _, items, value in (
                struct.unpack_from("<HHQQ", data, at + 8 + 20 * entry) for entry in range(count)
            )
        }
        items, value = entries[324]
        offsets = struct.unpack_from(f"<{items}Q", data, value) if items > 1 else (value,)
        starts.append(offsets)
        end = at + 8 + 20 * count + 8
        (at,) = struct.unpack_from("<Q", data, end - 8)
    firsts = [offsets[0] for offsets in starts]
    assert min(firsts) > end, "blocks come after what the file says of itself"
    images, masks = firsts[::2], firsts[1::2]
    assert images == sorted(images, reverse=True), "the coarsest first"
    assert all(offsets == tuple(sorted(offsets)) for offsets in starts), "row by row"
    assert all(image < mask for image, mask in zip(images, masks, strict=True))
    # As GDAL's words say: the length before each block, and its last bytes again behind it.
    for offset in starts[0]:
        (length,) = struct.unpack_from("<I", data, offset - 4)
        assert data[offset : offset + 2] == b"\xff\xd8"
        assert (
            data[offset + length - 4 : offset + length]
            == data[offset + length : offset + length + 4]
        )
