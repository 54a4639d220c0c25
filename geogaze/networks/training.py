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
from torch.utils.data import DataLoader, Dataset

from geogaze.errors import GeogazeError, InvalidRequest
from geogaze.models.agreement import Figures
from geogaze.models.bundles import Bundle, Probabilities, Ranges
from geogaze.networks.architectures import build
from geogaze.networks.bundling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_target,
    write_bundle,
)
from geogaze.networks.checkpoints import fitted, read_checkpoint
from geogaze.networks.chips import Read, labelled_chips, some_images, transforms
from geogaze.networks.loading import assign_state
from geogaze.networks.logits import logits_of
from geogaze.networks.storing import half_state
from geogaze.networks.trial import SelfTest

Progress = Callable[[str, int, int, float], None]  # phase, images done, of, running loss

Agreements = Callable[[nn.Module, Tensor, int], dict[str, Figures]]
"""Of a network, images (n, bands, T, T) on its device, and how many classes there are: how each
lower precision agrees with fp32, see :class:`geogaze.models.agreement.Agreement`.
"""

_MOST_COMPARED = 256  # images, to see what precision changes


@dataclass(frozen=True)
class Recipe:
    """How to train. ``init`` is imagenet, random, a checkpoint or another model, by its name or its
    folder; ``gsd`` is metres per pixel of the images at ``input_size``; ``bands``,
    ``mean``, ``std``, ``rescale`` and ``task`` are the bundle's, see
    :class:`geogaze.models.bundles.Bundle`.
    """

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
    bands: tuple[str, ...] = ("red", "green", "blue")
    rescale: Ranges | None = None
    task: Probabilities = "softmax"
    seed: int = 0
    workers: int = 2
    device: str = "cpu"


def train(
    data: Path,
    out: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    read: Read,
    overwrite: bool = False,
    self_test: SelfTest | None = None,
    agreement: Agreements | None = None,
) -> tuple[Bundle, float]:
    """Train, evaluate the weights as stored, and write the bundle.

    Args:
        data: as :func:`geogaze.networks.chips.labelled_chips` takes it.
        out: the bundle's folder.
        recipe: architecture, start, schedule.
        progress: called after every batch.
        read: reads an image.
        overwrite: whether a bundle that is there may be replaced.
        self_test: tries the network before it is trained, and before the bundle is written.
        agreement: measures on test images what lower precisions change, for the bundle.

    Returns:
        The bundle and its accuracy on the test images, 0..1; of several labels, that of each yes
        and no.

    Raises:
        InvalidRequest: no images, too few classes, test classes that differ, no such task, or the
            folder is in use.
    """
    torch.manual_seed(recipe.seed)
    if recipe.task == "none":
        raise InvalidRequest("Classes are trained with --task softmax or sigmoid.")
    prepared = transforms(recipe.input_size, recipe.mean, recipe.std)
    training, testing, classes = labelled_chips(data, recipe.task, read, *prepared)
    check_target(out, classes, overwrite=overwrite)
    training[0]  # an image that is none is told before there are other processes
    model = _initial(recipe, len(classes)).eval()
    # What cannot be explained is told before hours of training.
    stripped = self_test(model, classes)[0].stripped if self_test else None
    model.to(recipe.device)
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

    tried, check = self_test(model.cpu(), classes) if self_test else (None, None)
    half = tried is None or tried.half
    if half:
        assign_state(model, half_state(model), source=str(out))
    found = _evaluate(model.to(recipe.device), testing, len(classes), recipe, progress)
    evaluation = {
        "accuracy": found.accuracy,
        "images": {"train": len(training), "test": len(testing)},  # type: ignore[arg-type]
        "classes": list(classes),
        **found.tables,
    }
    some = some_images(testing, _MOST_COMPARED).to(recipe.device)
    agreed = agreement(model, some, len(classes)) if agreement else {}
    bundle = write_bundle(
        model.cpu(),
        out,
        architecture=recipe.architecture,
        classes=classes,
        input_size=recipe.input_size,
        bands=recipe.bands,
        mean=recipe.mean,
        std=recipe.std,
        rescale=recipe.rescale,
        probabilities=recipe.task,
        gsd=recipe.gsd,
        evaluation=evaluation,
        agreement=agreed,
        registration=tried.registration if tried else None,
        stripped=stripped,
        half=half,
        check=check,
        overwrite=overwrite,
    )
    return bundle, found.accuracy


def _initial(recipe: Recipe, classes: int) -> nn.Module:
    model = build(recipe.architecture, classes, len(recipe.bands), initialise=True)
    if recipe.init == "random":
        return model
    start = Path(recipe.init)
    if start.suffix and not start.is_dir():
        state = fitted(read_checkpoint(start), model.state_dict())
    else:
        from geogaze.models.registry import find_bundle
        from geogaze.networks.loading import load_model

        name = recipe.architecture if recipe.init == "imagenet" else recipe.init
        state = load_model(find_bundle(name, allow_path=True)).state_dict()
    own = model.state_dict()
    state |= _spread_over(state, own)
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if len(fitting) < len(own) // 2:
        raise InvalidRequest(
            f"Only {len(fitting)} of {len(own)} tensors in {recipe.init!r} fit "
            f"{recipe.architecture!r}; is it a checkpoint of another architecture?"
        )
    model.load_state_dict(fitting, strict=False)
    return model


def _spread_over(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """A first layer for other bands than a checkpoint's: each band is taken for their mean."""
    return {
        name: value.float().mean(dim=1, keepdim=True).expand_as(own[name])
        * (value.shape[1] / own[name].shape[1])
        for name, value in state.items()
        if name in own
        and value.ndim == own[name].ndim == 4
        and value.shape[1] in {1, 3}
        and value.shape[1] != own[name].shape[1]
        and (value.shape[0], *value.shape[2:]) == (own[name].shape[0], *own[name].shape[2:])
    }


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
    several = recipe.task == "sigmoid"
    loss_function = nn.BCEWithLogitsLoss() if several else nn.CrossEntropyLoss(label_smoothing=0.1)
    total = epochs * len(loader) * recipe.batch_size
    seen, running = 0, None
    for images, labels in _batches(loader, epochs):
        model.train(not warm_up)
        if recipe.init != "random":
            _freeze_statistics(model)
        logits = logits_of(model(images.to(recipe.device)), len(images))
        loss = loss_function(logits, labels.to(recipe.device))
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
        yield from _plainly(loader)


def _plainly(loader: DataLoader[Any]) -> Iterator[Any]:
    """Batches; of an error of ours in another process, what it says and not where."""
    try:
        yield from loader
    except GeogazeError as error:
        said = str(error).strip().splitlines()[-1]
        name = f"{type(error).__module__}.{type(error).__qualname__}: "
        raise type(error)(said.removeprefix(name)) from error


@dataclass(frozen=True)
class _Evaluation:
    """How right a network is: a share of its answers, and tables of them."""

    accuracy: float
    tables: dict[str, Any]


@torch.no_grad()
def _evaluate(
    model: nn.Module, data: Dataset[Any], classes: int, recipe: Recipe, progress: Progress
) -> _Evaluation:
    """By the confusion matrix (classes, classes), whose rows are the truth and columns the
    prediction; where each class is right or wrong by itself, by one of no and yes for each.
    """
    model.eval()
    several = recipe.task == "sigmoid"
    shape = (classes, 2, 2) if several else (classes, classes)
    confusion = torch.zeros(shape, dtype=torch.int64)
    done = 0
    loader = DataLoader(data, recipe.batch_size, num_workers=recipe.workers)
    for images, labels in _plainly(loader):
        logits = logits_of(model(images.to(recipe.device)), len(images)).cpu()
        if several:
            which = torch.arange(classes).expand_as(logits)
            where: tuple[Tensor, ...] = (which, labels.long(), (logits > 0).long())
        else:
            where = (labels, logits.argmax(1))
        confusion.index_put_(where, torch.ones_like(where[0]), accumulate=True)
        done += len(labels)
        progress("testing", done, len(data), 0.0)  # type: ignore[arg-type]
    right = confusion.diagonal(dim1=-2, dim2=-1).sum()
    table = "confusion_by_class" if several else "confusion"
    return _Evaluation(float(right / confusion.sum()), {table: confusion.tolist()})
