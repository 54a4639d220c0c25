"""From labelled chips to a bundle that says how good it is.

The recipe is the usual one for small aerial data sets: start from a pretrained trunk, warm up a
new last layer with the trunk frozen, then fine-tune under a cosine schedule. Nothing in a view from
above has a preferred direction, so images are flipped and turned at random; scale is jittered both
ways, because scenes rarely have the training data's ground sample distance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geogaze.models.agreement import Figures
from geogaze.models.bundles import Bundle
from geogaze.models.calibration import LEAST_IMAGES, fitted_temperature
from geogaze.networks.bundling import check_target, write_bundle
from geogaze.networks.loading import assign_state
from geogaze.networks.storing import half_state
from geogaze.networks.training.answering import Answers, Progress, answers_to
from geogaze.networks.training.chips import Parts, Read, labelled_chips, some_images
from geogaze.networks.training.curves import CURVES_FILE, curves
from geogaze.networks.training.events import EVENTS_FILE, Events
from geogaze.networks.training.fitting import fit
from geogaze.networks.training.recipe import Recipe
from geogaze.networks.training.starting import initial
from geogaze.networks.training.unfinished import Unfinished
from geogaze.networks.training.varying import transforms
from geogaze.networks.trial import SelfTest

Agreements = Callable[[nn.Module, Tensor, int], dict[str, Figures]]
"""Of a network, images (n, bands, T, T) on its device, and how many classes there are: how each
lower precision agrees with fp32, see :class:`geogaze.models.agreement.Agreement`.
"""

_MOST_COMPARED = 256  # images, to see what precision changes


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
    clock: Callable[[], float] = time.time,
) -> tuple[Bundle, float]:
    """Train, find the temperature, evaluate the weights as stored, and write the bundle.

    One that was interrupted, by the same recipe on the same images, goes on after its last epoch,
    and gives what it would have given. While it runs, its folder beside ``out`` has its curves.

    Args:
        data: as :func:`geogaze.networks.training.chips.labelled_chips` takes it.
        out: the bundle's folder.
        recipe: architecture, start, schedule.
        progress: called after every batch.
        read: reads an image.
        overwrite: whether a bundle that is there may be replaced.
        self_test: tries the network before it is trained, and before the bundle is written.
        agreement: measures on test images what lower precisions change, for the bundle.
        clock: seconds since 1970, for the curves.

    Returns:
        The bundle and its accuracy on the test images, 0..1; of several labels, that of each yes
        and no.

    Raises:
        InvalidRequest: no images, too few classes, test classes that differ, no such task, or the
            folder is in use.
    """
    torch.manual_seed(recipe.seed)
    recipe.check()
    prepared = transforms(recipe.input_size, recipe.mean, recipe.std)
    parts = labelled_chips(data, recipe.task, read, *prepared, held_out=recipe.validation)
    classes = parts.classes
    check_target(out, classes, overwrite=overwrite)
    parts.training[0]  # an image that is none is told before there are other processes
    model = initial(recipe, len(classes)).eval()
    # What cannot be explained is told before hours of training.
    stripped = self_test(model, classes)[0].stripped if self_test else None

    said = {"recipe": recipe.said, "data": {"sha256": parts.fingerprint(data)}}
    unfinished = Unfinished(out, said)
    events = Events(unfinished.folder / EVENTS_FILE, clock)
    history = fit(
        model.to(recipe.device),
        parts,
        recipe,
        unfinished,
        progress,
        lambda epoch: events.add(epoch.number, epoch.figures),
    )

    tried, check = self_test(model.cpu(), classes) if self_test else (None, None)
    half = tried is None or tried.half
    if half:
        assign_state(model, half_state(model), source=str(out))
    model.to(recipe.device)
    temperature, by = _temperature(parts, model, recipe, progress)
    found = answers_to(parts.testing, model, recipe, progress, "testing")
    calibrated = {"by": by, **found.calibrated(temperature)}
    evaluation = {
        "accuracy": found.accuracy,
        "images": parts.counts,
        "classes": list(classes),
        "recall": found.recall(classes),
        **_confusion(found),
        "calibration": calibrated,
        **said,
        "history": [epoch.said for epoch in history],
    }
    some = some_images(parts.testing, _MOST_COMPARED).to(recipe.device)
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
        temperature=temperature,
        gsd=recipe.gsd,
        evaluation=evaluation,
        agreement=agreed,
        registration=tried.registration if tried else None,
        stripped=stripped,
        half=half,
        check=check,
        overwrite=overwrite,
        beside={
            CURVES_FILE: curves(history, calibrated),
            EVENTS_FILE: (unfinished.folder / EVENTS_FILE).read_bytes(),
        },
    )
    unfinished.drop()
    return bundle, found.accuracy


def _temperature(
    parts: Parts, model: nn.Module, recipe: Recipe, progress: Progress
) -> tuple[float, str | None]:
    """What logits are to be divided by, and by which images that was found: 1, by none, where too
    few are held out.
    """
    if parts.validation is None or len(parts.validation) < LEAST_IMAGES:
        return 1.0, None
    held = answers_to(parts.validation, model, recipe, progress, "validating")
    return fitted_temperature(held.logits, held.labels, held.rule), "validation"


def _confusion(found: Answers) -> dict[str, Any]:
    table = "confusion_by_class" if found.rule == "sigmoid" else "confusion"
    return {table: found.confusion.tolist()}
