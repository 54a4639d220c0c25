"""Retraining a torchvision classifier on a folder of class folders.

The recipe is the usual one for small aerial data sets: start from a pretrained trunk, warm up a
new last layer with the trunk frozen, then fine-tune everything under a cosine schedule. Nothing in
a view from above has a preferred direction, so images are flipped and turned at random; scale is
jittered both ways, because scenes rarely have the training data's ground sample distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Bundle
from geogaze.networks.architectures import build
from geogaze.networks.bundling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_target,
    write_bundle,
)
from geogaze.networks.checkpoints import fitted, read_checkpoint
from geogaze.networks.loading import assign_state
from geogaze.networks.storing import half_state

Progress = Callable[[str, int, int, float], None]  # phase, images done, of, running loss
_TEST_SHARE = 0.15


@dataclass(frozen=True)
class Recipe:
    """How to train. ``gsd`` is metres per pixel of the images at ``input_size``."""

    architecture: str = "mobilenet_v2"
    init: str = "imagenet"
    epochs: int = 12
    warm_up_epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 1e-4
    input_size: int = 224
    gsd: float | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    seed: int = 0
    workers: int = 2
    device: str = "cpu"


def train(
    data: Path, out: Path, recipe: Recipe, progress: Progress, *, overwrite: bool = False
) -> tuple[Bundle, float]:
    """Train, evaluate the weights as stored, and write the bundle.

    Args:
        data: ``<class>/*.jpg``, or ``train/<class>/…`` with ``test/<class>/…`` beside it; without
            a test folder every seventh image is held out.
        out: the bundle's folder.
        recipe: architecture, start, schedule.
        progress: called after every batch.
        overwrite: whether a bundle that is there may be replaced.

    Returns:
        The bundle and its accuracy on the test images, 0..1.

    Raises:
        InvalidRequest: no images, fewer than two classes, test classes that differ, or the
            folder is in use.
    """
    torch.manual_seed(recipe.seed)
    training, testing, classes = _load_data(data, recipe)
    check_target(out, classes, overwrite=overwrite)
    model = _initial(recipe, len(classes)).to(recipe.device)
    loader = DataLoader(
        training,
        recipe.batch_size,
        shuffle=True,
        num_workers=recipe.workers,
        drop_last=len(training) > recipe.batch_size,  # type: ignore[arg-type]
        persistent_workers=recipe.workers > 0,
    )
    last = _last_layer(model)
    head = {id(p) for p in last.parameters()}
    trunk = [p for p in model.parameters() if id(p) not in head]
    _fit(model, loader, [{"params": list(last.parameters())}], recipe, progress, warm_up=True)
    groups = [
        {"params": trunk, "max_lr": recipe.learning_rate},
        {"params": list(last.parameters()), "max_lr": recipe.learning_rate * 10},
    ]
    _fit(model, loader, groups, recipe, progress, warm_up=False)

    assign_state(model, half_state(model), source=str(out))
    confusion = _evaluate(model.to(recipe.device), testing, len(classes), recipe, progress)
    accuracy = float(confusion.diagonal().sum() / confusion.sum())
    evaluation = {
        "accuracy": accuracy,
        "images": {"train": len(training), "test": int(confusion.sum())},  # type: ignore[arg-type]
        "classes": list(classes),
        "confusion": confusion.tolist(),
    }
    bundle = write_bundle(
        model.cpu(),
        out,
        architecture=recipe.architecture,
        classes=classes,
        input_size=recipe.input_size,
        mean=recipe.mean,
        std=recipe.std,
        gsd=recipe.gsd,
        evaluation=evaluation,
        overwrite=overwrite,
    )
    return bundle, accuracy


def _load_data(data: Path, recipe: Recipe) -> tuple[Dataset[Any], Dataset[Any], tuple[str, ...]]:
    size = recipe.input_size
    to_tensor = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(recipe.mean), list(recipe.std)),
    ]
    augment = v2.Compose(
        [
            v2.Resize((size, size), antialias=True),
            v2.RandomChoice([v2.RandomRotation((a, a)) for a in (0, 90, 180, 270)]),
            v2.RandomHorizontalFlip(),
            _RandomZoom(0.5, 1.5),
            v2.ColorJitter(0.3, 0.3, 0.3, 0.05),
            *to_tensor,
        ]
    )
    plain = v2.Compose([v2.Resize((size, size), antialias=True), *to_tensor])
    try:
        if (data / "train").is_dir():
            training, testing = (
                ImageFolder(str(data / part), transform)
                for part, transform in (("train", augment), ("test", plain))
            )
        else:
            training, testing = (ImageFolder(str(data), t) for t in (augment, plain))
    except FileNotFoundError as error:
        raise InvalidRequest(f"{data} is not a folder of class folders: {error}") from error
    if training.classes != testing.classes or len(training.classes) < 2:
        raise InvalidRequest(
            f"{data} needs two or more classes, the same for training and testing; "
            f"found {training.classes} and {testing.classes}."
        )
    classes = tuple(training.classes)
    if (data / "train").is_dir():
        return training, testing, classes
    held_out = set(range(0, len(training), round(1 / _TEST_SHARE)))
    kept = [i for i in range(len(training)) if i not in held_out]
    return Subset(training, kept), Subset(testing, sorted(held_out)), classes


class _RandomZoom(nn.Module):
    """Zoom about a random point; zooming out mirrors the image at its border."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Any) -> Any:
        width, height = image.size
        zoom = float(torch.empty(()).uniform_(self.low, self.high))
        if zoom >= 1:
            crop = v2.RandomCrop((round(height / zoom), round(width / zoom)))
            return v2.functional.resize(crop(image), [height, width], antialias=True)
        small = v2.functional.resize(
            image, [round(height * zoom), round(width * zoom)], antialias=True
        )
        missing = [height - small.size[1], width - small.size[0]]
        top, left = (int(torch.randint(m + 1, ())) for m in missing)
        padding = [left, top, missing[1] - left, missing[0] - top]
        return v2.functional.pad(small, padding, padding_mode="symmetric")


def _initial(recipe: Recipe, classes: int) -> nn.Module:
    model = build(recipe.architecture, classes, initialise=True)
    if recipe.init == "random":
        return model
    if recipe.init == "imagenet":
        from geogaze.models.registry import find_bundle
        from geogaze.networks.loading import load_model

        state = load_model(find_bundle(recipe.architecture)).state_dict()
    else:
        state = fitted(read_checkpoint(Path(recipe.init)), model.state_dict())
    own = model.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if len(fitting) < len(own) // 2:
        raise InvalidRequest(
            f"Only {len(fitting)} of {len(own)} tensors in {recipe.init!r} fit "
            f"{recipe.architecture!r}; is it a checkpoint of another architecture?"
        )
    model.load_state_dict(fitting, strict=False)
    return model


def _last_layer(model: nn.Module) -> nn.Module:
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    linear = [m for m in layers if isinstance(m, nn.Linear)]
    return (linear or layers)[-1]


def _fit(
    model: nn.Module,
    loader: DataLoader[Any],
    groups: list[dict[str, Any]],
    recipe: Recipe,
    progress: Progress,
    *,
    warm_up: bool,
) -> None:
    epochs = recipe.warm_up_epochs if warm_up else recipe.epochs
    if epochs == 0:
        return
    for parameter in model.parameters():
        parameter.requires_grad_(not warm_up)
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    steps = epochs * len(loader)
    if warm_up:
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate * 30)
        schedule = None
    else:
        rates = [group.pop("max_lr") for group in groups]
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps, pct_start=0.2)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.1)
    total = epochs * len(loader) * recipe.batch_size
    seen, running = 0, None
    for images, labels in _batches(loader, epochs):
        model.train(not warm_up)
        if recipe.init != "random":
            _freeze_statistics(model)
        loss = loss_function(model(images.to(recipe.device)), labels.to(recipe.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if schedule:
            schedule.step()
        seen += recipe.batch_size
        value = float(loss.detach())
        running = value if running is None else 0.95 * running + 0.05 * value
        progress("warming up" if warm_up else "training", seen, total, running)
    model.eval()


def _freeze_statistics(model: nn.Module) -> None:
    """Keep the pretrained trunk's normalisation: small sets estimate it badly, and checkpoints
    with folded statistics (converted from mobile formats) would be scaled anew.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _batches(loader: DataLoader[Any], epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(epochs):
        yield from loader


@torch.no_grad()
def _evaluate(
    model: nn.Module, data: Dataset[Any], classes: int, recipe: Recipe, progress: Progress
) -> Tensor:
    """Confusion matrix (classes, classes): rows are the truth, columns the prediction."""
    model.eval()
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    done = 0
    for images, labels in DataLoader(data, recipe.batch_size, num_workers=recipe.workers):
        predicted = model(images.to(recipe.device)).argmax(1).cpu()
        confusion.index_put_((labels, predicted), torch.ones_like(labels), accumulate=True)
        done += len(labels)
        progress("testing", done, len(data), 0.0)  # type: ignore[arg-type]
    return confusion
