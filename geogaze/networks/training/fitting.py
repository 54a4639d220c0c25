"""Epoch after epoch: first the last layer alone, then as much of the network as is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader

from geogaze.networks.logits import logits_of
from geogaze.networks.training.answering import Progress, answers_to, batches_of, plainly
from geogaze.networks.training.chips import Chips, Parts
from geogaze.networks.training.history import Epoch, best_of
from geogaze.networks.training.recipe import Recipe
from geogaze.networks.training.starting import last_layer, trained_beside
from geogaze.networks.training.unfinished import Unfinished

_WARM_UP, _TRAINING = "warming up", "training"
_MOST_WEIGHT = 10.0  # of a class: a few images of it must not be all that counts

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class _Phase:
    """Some epochs by one optimiser. While warming up the network is as it is in use, without
    dropout.
    """

    name: str
    epochs: int
    optimiser: torch.optim.Optimizer
    schedule: OneCycleLR | None


def fit(
    model: nn.Module,
    parts: Parts,
    recipe: Recipe,
    unfinished: Unfinished,
    progress: Progress,
    told: Callable[[Epoch], None],
) -> list[Epoch]:
    """Train a network in place; one that was interrupted goes on as if it had not been.

    With patience and held-out images it ends as it was after the best epoch of its training.

    Args:
        model: on its device.
        parts: the images.
        recipe: what to do.
        unfinished: where the state is kept after each epoch.
        progress: called after each batch.
        told: called after each epoch, and of those before an interruption at once.

    Returns:
        What became of each epoch.
    """
    kept = unfinished.read()
    history = [Epoch(**row) for row in kept["history"]] if kept else []
    best: dict[str, Tensor] | None = kept["best"] if kept else None
    if kept:
        model.load_state_dict(kept["model"])
        _set_chance(kept)
    for epoch in history:
        told(epoch)
    loader = batches_of(parts.training, recipe, learned=True)
    loss = _loss(parts.training, recipe).to(recipe.device)
    for name, epochs in ((_WARM_UP, recipe.warm_up_epochs), (_TRAINING, recipe.epochs)):
        own = [epoch for epoch in history if epoch.phase == name]
        if len(own) >= epochs:
            continue
        phase = _phase(name, epochs, model, recipe, epochs * len(loader))
        if kept and kept["phase"] == name:
            phase.optimiser.load_state_dict(kept["optimiser"])
            if phase.schedule:
                phase.schedule.load_state_dict(kept["schedule"])
        while len(own) < epochs and not _settled(own, recipe):
            mean = _epoch(model, loader, phase, len(own), recipe, loss, progress)
            rate = phase.optimiser.param_groups[-1]["lr"]
            epoch = Epoch(len(history) + 1, name, mean, rate)
            if parts.validation is not None:
                held = answers_to(parts.validation, model, recipe, progress, "validating")
                epoch = replace(epoch, held_out_loss=held.loss, held_out_accuracy=held.accuracy)
            own.append(epoch)
            history.append(epoch)
            if name == _TRAINING and best_of(own) is epoch:
                best = {key: value.cpu().clone() for key, value in model.state_dict().items()}
            unfinished.keep(_state(model, phase, history, best))
            told(epoch)
    if best is not None and recipe.patience:
        model.load_state_dict(best)
    model.eval()
    return history


def _phase(name: str, epochs: int, model: nn.Module, recipe: Recipe, steps: int) -> _Phase:
    last = list(last_layer(model).parameters())
    beside = [] if name == _WARM_UP else trained_beside(model, recipe.depth)
    model.requires_grad_(False)
    for parameter in (*beside, *last):
        parameter.requires_grad_(True)
    if name == _WARM_UP:
        return _Phase(name, epochs, torch.optim.AdamW(last, lr=recipe.learning_rate * 30), None)
    rates = {recipe.learning_rate: beside, recipe.learning_rate * 10: last}
    groups = [{"params": parameters} for parameters in rates.values() if parameters]
    peaks = [rate for rate, parameters in rates.items() if parameters]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=0.02)
    return _Phase(name, epochs, optimiser, OneCycleLR(optimiser, peaks, steps, pct_start=0.2))


def _loss(chips: Chips, recipe: Recipe) -> nn.Module:
    """What is made small; where classes are balanced, each weighs as if it were as frequent."""
    several = recipe.task == "sigmoid"
    weight = None
    if recipe.balance and several:
        there = chips.labels.sum(dim=0)
        weight = ((len(chips) - there) / there).clamp(1 / _MOST_WEIGHT, _MOST_WEIGHT)
    elif recipe.balance:
        there = chips.labels.bincount(minlength=len(chips.classes))
        weight = (len(chips) / (len(chips.classes) * there)).clamp(max=_MOST_WEIGHT)
    if several:
        return nn.BCEWithLogitsLoss(pos_weight=weight)
    return nn.CrossEntropyLoss(weight, label_smoothing=0.1)


def _epoch(
    model: nn.Module,
    loader: DataLoader[Any],
    phase: _Phase,
    done: int,
    recipe: Recipe,
    loss_of: nn.Module,
    progress: Progress,
) -> float:
    """All images once; the mean loss of the batches."""
    model.train(phase.name != _WARM_UP)
    if recipe.init != "random":
        _freeze_statistics(model)
    seen, total = (n * len(loader) * recipe.batch_size for n in (done, phase.epochs))
    losses: list[float] = []
    running = None
    for images, labels in plainly(loader):
        logits = logits_of(model(images.to(recipe.device)), len(images))
        loss = loss_of(logits, labels.to(recipe.device))
        phase.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        phase.optimiser.step()
        if phase.schedule:
            phase.schedule.step()
        seen += recipe.batch_size
        losses.append(float(loss.detach()))
        running = losses[-1] if running is None else 0.95 * running + 0.05 * losses[-1]
        progress(phase.name, seen, total, running)
    return sum(losses) / len(losses)


def _freeze_statistics(model: nn.Module) -> None:
    """Keep the pretrained trunk's normalisation: small sets estimate it badly, and checkpoints
    with folded statistics (converted from mobile formats) would be scaled anew.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _settled(own: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether as many epochs as one is patient for have been no better than one before."""
    best = best_of(own)
    return bool(recipe.patience and best and own[-1].number - best.number >= recipe.patience)


def _state(
    model: nn.Module, phase: _Phase, history: Sequence[Epoch], best: Mapping[str, Tensor] | None
) -> dict[str, Any]:
    """All that the epochs to come depend on, chance among it."""
    return {
        "model": model.state_dict(),
        "phase": phase.name,
        "optimiser": phase.optimiser.state_dict(),
        "schedule": phase.schedule.state_dict() if phase.schedule else None,
        "history": [epoch.said for epoch in history],
        "best": best,
        "chance": torch.get_rng_state(),
        "chance_on_gpus": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_chance(kept: Mapping[str, Any]) -> None:
    torch.set_rng_state(kept["chance"])
    if torch.cuda.is_available() and len(kept["chance_on_gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(kept["chance_on_gpus"])
