"""Labelled chips to train by: class folders, or a table of labels beside images."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset
from torchvision import tv_tensors
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Probabilities

LABELS = "labels.csv"
"""A table: a column ``file``, and a column of 0 and 1 for each class."""

Read = Callable[[Path], NDArray[Any]]
"""A chip's values (bands, h, w), bytes or 0..1 as float32."""

_TEST_SHARE = 0.15


class _Loader:
    """Reads a chip as torchvision's transforms take it; sent to other processes whole."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __call__(self, path: str) -> Tensor:
        image: Tensor = tv_tensors.Image(torch.from_numpy(self._read(Path(path))))
        return image


class _Labelled(Dataset[tuple[Tensor, Tensor]]):
    """Images named in a table, each with 0 or 1 for every class."""

    def __init__(self, folder: Path, transform: nn.Module, loader: _Loader) -> None:
        self.classes, self._rows = _read_labels(folder / LABELS)
        self._transform, self._loader = transform, loader

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        path, labels = self._rows[index]
        return self._transform(self._loader(str(path))), torch.tensor(labels)


class _Several(Dataset[tuple[Tensor, Tensor]]):
    """Class folders, each image's class as 0 and 1 for every class."""

    def __init__(self, folders: ImageFolder) -> None:
        self.classes, self._folders = folders.classes, folders

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = self._folders[index]
        return image, torch.nn.functional.one_hot(torch.tensor(label), len(self.classes)).float()


def labelled_chips(
    data: Path, task: Probabilities, read: Read, augment: nn.Module, plain: nn.Module
) -> tuple[Dataset[Any], Dataset[Any], tuple[str, ...]]:
    """Chips to train and to test by, and the names of their classes.

    Args:
        data: ``<class>/*.tif``, or a table :data:`LABELS`; or ``train`` and ``test`` with such.
            Without them every seventh image is held out.
        task: of softmax labels are positions, of sigmoid 0 and 1 for every class.
        read: reads an image.
        augment: transform of images to train by.
        plain: of those to test by.

    Raises:
        InvalidRequest: there are no images, too few classes, or others in testing; or a table for
            a softmax.
    """
    loader = _Loader(read)

    def labelled(folder: Path, transform: nn.Module) -> Any:
        if (folder / LABELS).is_file():
            if task != "sigmoid":
                raise InvalidRequest(
                    f"{folder / LABELS} gives an image several classes: train with --task sigmoid."
                )
            return _Labelled(folder, transform, loader)
        try:
            folders = ImageFolder(str(folder), transform, loader=loader)
        except FileNotFoundError as error:
            raise InvalidRequest(
                f"{data} is not a folder of class folders, each with images in it."
            ) from error
        return _Several(folders) if task == "sigmoid" else folders

    parted = (data / "train").is_dir()
    parts = (data / "train", data / "test") if parted else (data, data)
    training, testing = (
        labelled(folder, how) for folder, how in zip(parts, (augment, plain), strict=True)
    )
    fewest, how_many = (1, "one class or more") if task == "sigmoid" else (2, "two or more classes")
    if training.classes != testing.classes or len(training.classes) < fewest:
        raise InvalidRequest(
            f"{data} needs {how_many}, the same for training and testing; found "
            f"{training.classes} and {testing.classes}."
        )
    classes = tuple(training.classes)
    if parted:
        return training, testing, classes
    held_out = set(range(0, len(training), round(1 / _TEST_SHARE)))
    kept = [i for i in range(len(training)) if i not in held_out]
    return Subset(training, kept), Subset(testing, sorted(held_out)), classes


def _read_labels(table: Path) -> tuple[list[str], list[tuple[Path, list[float]]]]:
    """Names of the classes, and each image's labels.

    Raises:
        InvalidRequest: it is no such table, or an image is missing.
    """
    with table.open(newline="") as file:
        header, *rows = [row for row in csv.reader(file) if any(row)] or [[]]
    classes = [name.strip() for name in header[1:]]
    if not classes or header[0].strip() != "file" or not rows:
        raise InvalidRequest(f"{table} begins with a line file,CLASS,… and has a line per image.")
    found = []
    for row in rows:
        path, labels = table.parent / row[0].strip(), [word.strip() for word in row[1:]]
        if len(labels) != len(classes) or not set(labels) <= {"0", "1"}:
            raise InvalidRequest(
                f"{table}: {row[0]} needs 0 or 1 for each of {len(classes)} classes."
            )
        if not path.is_file():
            raise InvalidRequest(f"{table} names {row[0]}, which is not there.")
        found.append((path, [float(label) for label in labels]))
    return classes, found


def transforms(
    size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[nn.Module, nn.Module]:
    """How images become a network's input: varied, to train by, and plain.

    Args:
        size: pixels of a side.
        mean: of each band, of values in 0..1.
        std: likewise.
    """
    to_unit = v2.ToDtype(torch.float32, scale=True)
    normalise = v2.Normalize(list(mean), list(std))
    colours = v2.ColorJitter(0.3, 0.3, 0.3, 0.05) if len(mean) == 3 else _Light(0.3)
    resize = v2.Resize((size, size), antialias=True)
    augment = v2.Compose(
        [
            resize,
            v2.RandomChoice([v2.RandomRotation((a, a)) for a in (0, 90, 180, 270)]),
            v2.RandomHorizontalFlip(),
            _RandomZoom(0.5, 1.5),
            to_unit,
            colours,
            normalise,
        ]
    )
    return augment, v2.Compose([resize, to_unit, normalise])


class _Light(nn.Module):
    """More or less light and contrast, in all bands alike; colours of other than three bands are
    nobody's to turn.
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, image: Tensor) -> Tensor:
        light, contrast = (1 + self.most * (2 * torch.rand(2) - 1)).tolist()
        mean = image.mean(dim=(-2, -1), keepdim=True)
        varied: Tensor = ((image - mean) * contrast + mean) * light
        return varied


class _RandomZoom(nn.Module):
    """Zoom about a random point; zooming out mirrors the image at its border."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Any) -> Any:
        height, width = image.shape[-2:]
        zoom = float(torch.empty(()).uniform_(self.low, self.high))
        if zoom >= 1:
            crop = v2.RandomCrop((round(height / zoom), round(width / zoom)))
            return v2.functional.resize(crop(image), [height, width], antialias=True)
        small = v2.functional.resize(
            image, [round(height * zoom), round(width * zoom)], antialias=True
        )
        missing = [height - small.shape[-2], width - small.shape[-1]]
        top, left = (int(torch.randint(m + 1, ())) for m in missing)
        padding = [left, top, missing[1] - left, missing[0] - top]
        return v2.functional.pad(small, padding, padding_mode="symmetric")


def some_images(data: Dataset[Any], most: int) -> Tensor:
    """No more than ``most`` images (n, bands, T, T) from all over a set, whatever its order."""
    count = len(data)  # type: ignore[arg-type]
    return torch.stack([data[i][0] for i in range(0, count, -(-count // most))])
