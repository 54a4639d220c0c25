"""Labelled chips to train by: class folders, or a table of labels beside images."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.datasets import ImageFolder

from geogaze.errors import InvalidRequest
from geogaze.files import file_sha256
from geogaze.models.bundles import Probabilities

LABELS = "labels.csv"
"""A table: a column ``file``, and a column of 0 and 1 for each class; or one column ``class``."""

Read = Callable[[Path], NDArray[Any]]
"""A chip's values (bands, h, w), bytes or 0..1 as float32."""

Rows = list[tuple[Path, int | tuple[float, ...]]]
"""Images and their labels: a class's position, or 0 and 1 for every class."""

_TEST_SHARE = 0.15
_ONE_CLASS = "class"  # the column of a table that gives each image one


@dataclass(frozen=True)
class Chips(Dataset[tuple[Tensor, Any]]):
    """Images with their labels, read as they are asked for; sent to other processes whole."""

    classes: tuple[str, ...]
    rows: Rows
    read: Read = field(repr=False)
    transform: nn.Module = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        """An image (bands, T, T), and its label: an int, or a float32 (classes,)."""
        path, label = self.rows[index]
        image = tv_tensors.Image(torch.from_numpy(self.read(path)))
        return self.transform(image), label if isinstance(label, int) else torch.tensor(label)

    @cached_property
    def labels(self) -> Tensor:
        """Of all images: int64 (n,), or float32 (n, classes)."""
        return torch.tensor([label for _, label in self.rows])

    def some(self, which: Iterable[int]) -> Chips:
        """Some of the images, by their positions."""
        return Chips(self.classes, [self.rows[i] for i in which], self.read, self.transform)

    def seen_by(self, transform: nn.Module) -> Chips:
        """The same images by another transform."""
        return Chips(self.classes, self.rows, self.read, transform)


@dataclass(frozen=True)
class Parts:
    """Chips to train by, to hold training against (there may be none), and to test by."""

    training: Chips
    validation: Chips | None
    testing: Chips

    @property
    def classes(self) -> tuple[str, ...]:
        """Of all parts."""
        return self.training.classes

    @property
    def counts(self) -> dict[str, int]:
        """Images of each part."""
        return {name: len(chips) for name, chips in self._named.items()}

    def fingerprint(self, root: Path) -> str:
        """A sha256 of what was learned, held out and tested by: paths below ``root``, labels and
        content of the files.
        """
        whole = hashlib.sha256()
        for name, chips in self._named.items():
            for path, label in chips.rows:
                place = path.relative_to(root).as_posix()
                whole.update(f"{name}\n{place}\n{label}\n{file_sha256(path)}\n".encode())
        return whole.hexdigest()

    @property
    def _named(self) -> dict[str, Chips]:
        parts = {"train": self.training, "validation": self.validation, "test": self.testing}
        return {name: chips for name, chips in parts.items() if chips is not None}


def labelled_chips(
    data: Path,
    task: Probabilities,
    read: Read,
    augment: nn.Module,
    plain: nn.Module,
    held_out: float = 0.0,
) -> Parts:
    """Chips of a folder.

    Args:
        data: ``<class>/*.tif``, or a table :data:`LABELS`; or ``train`` and ``test``, and maybe
            ``validation``, with such. Without ``test`` every seventh image is held out to test by.
        task: of softmax labels are positions, of sigmoid 0 and 1 for every class.
        read: reads an image.
        augment: transform of images to train by.
        plain: of the others.
        held_out: share of the images to train by that are not, where there is no ``validation``.

    Raises:
        InvalidRequest: there are no images, too few classes, or others in a part; or a table that
            gives images several classes, for a softmax.
    """

    def labelled(folder: Path, transform: nn.Module) -> Chips:
        found = _in_table(folder) if (folder / LABELS).is_file() else _in_folders(folder)
        classes, rows = found
        several = bool(rows) and not isinstance(rows[0][1], int)
        if several and task != "sigmoid":
            raise InvalidRequest(
                f"{folder / LABELS} gives an image several classes: train with --task sigmoid."
            )
        if task == "sigmoid" and not several:
            each = {
                i: tuple(float(i == k) for k in range(len(classes))) for i in range(len(classes))
            }
            rows = [(path, each[label]) for path, label in rows if isinstance(label, int)]
        return Chips(tuple(classes), rows, read, transform)

    if (data / "train").is_dir():
        training, testing = labelled(data / "train", augment), labelled(data / "test", plain)
        kept = data / "validation"
        validation = labelled(kept, plain) if kept.is_dir() else None
        for other in (testing, validation):
            if other is not None and other.classes != training.classes:
                raise _unlike(data, training, other)
    else:
        whole = labelled(data, augment)
        training, apart = _held_out(whole, _TEST_SHARE)
        testing, validation = apart.seen_by(plain), None
    if len(training.classes) < (1 if task == "sigmoid" else 2):
        raise _unlike(data, training, testing, task)
    if validation is None and held_out:
        training, apart = _held_out(training, held_out)
        validation = apart.seen_by(plain)
    return Parts(training, validation, testing)


def usual_task(data: Path) -> Probabilities:
    """By which task a folder's labels are learned where nobody says: sigmoid where a table gives
    images several classes.

    Raises:
        InvalidRequest: the table is none.
    """
    for folder in (data, data / "train"):
        if (folder / LABELS).is_file():
            _, rows = _in_table(folder)
            return "softmax" if isinstance(rows[0][1], int) else "sigmoid"
    return "softmax"


def _held_out(chips: Chips, share: float) -> tuple[Chips, Chips]:
    """All but every so many-th image, and those: of every class, as images lie class by class."""
    apart = set(range(0, len(chips), round(1 / share)))
    kept = [i for i in range(len(chips)) if i not in apart]
    return chips.some(kept), chips.some(sorted(apart))


def _unlike(
    data: Path, one: Chips, other: Chips, task: Probabilities = "softmax"
) -> InvalidRequest:
    how_many = "one class or more" if task == "sigmoid" else "two or more classes"
    return InvalidRequest(
        f"{data} needs {how_many}, the same for training and testing; found "
        f"{list(one.classes)} and {list(other.classes)}."
    )


def _in_folders(folder: Path) -> tuple[list[str], Rows]:
    try:
        found = ImageFolder(str(folder))
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"{folder} is not a folder of class folders, each with images in it."
        ) from error
    return found.classes, [(Path(path), label) for path, label in found.samples]


def _in_table(folder: Path) -> tuple[list[str], Rows]:
    """Names of the classes, and each image's label.

    Raises:
        InvalidRequest: it is no such table, or an image is missing.
    """
    table = folder / LABELS
    with table.open(newline="") as file:
        header, *lines = [row for row in csv.reader(file) if any(row)] or [[]]
    classes = [name.strip() for name in header[1:]]
    if not classes or header[0].strip() != "file" or not lines:
        raise InvalidRequest(f"{table} begins with a line file,CLASS,… and has a line per image.")
    named = [(folder / line[0].strip(), [word.strip() for word in line[1:]]) for line in lines]
    for path, _ in named:
        if not path.is_file():
            raise InvalidRequest(f"{table} names {path.name}, which is not there.")
    if classes == [_ONE_CLASS] and not all(set(words) <= {"0", "1"} for _, words in named):
        return _one_each(table, named)
    for path, words in named:
        if len(words) != len(classes) or not set(words) <= {"0", "1"}:
            raise InvalidRequest(
                f"{table}: {path.name} needs 0 or 1 for each of {len(classes)} classes."
            )
    return classes, [(path, tuple(map(float, words))) for path, words in named]


def _one_each(table: Path, named: list[tuple[Path, list[str]]]) -> tuple[list[str], Rows]:
    """The classes that a table of one column names, and each image's."""
    for path, words in named:
        if len(words) != 1 or not words[0]:
            raise InvalidRequest(f"{table}: {path.name} needs the name of one class.")
    classes = sorted({words[0] for _, words in named})
    rows = sorted((classes.index(words[0]), path) for path, words in named)  # class by class
    return classes, [(path, label) for label, path in rows]


def some_images(chips: Chips, most: int) -> Tensor:
    """No more than ``most`` images (n, bands, T, T) from all over a set, whatever its order."""
    count = len(chips)
    return torch.stack([chips[i][0] for i in range(0, count, -(-count // most))])
