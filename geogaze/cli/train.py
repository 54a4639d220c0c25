"""The command ``train``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import TaskID

from geogaze.cli.cutting import cut_all, labelled_scenes
from geogaze.cli.describing import (
    ArchOption,
    BandsOption,
    GsdTrainOption,
    InputSizeOption,
    MeanOption,
    RescaleOption,
    StdOption,
    TaskOption,
    described_input,
)
from geogaze.cli.options import JsonOption, OverwriteOption
from geogaze.cli.registering import resolved
from geogaze.cli.terminal import err, out, print_json, print_warnings, progress_bar
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest
from geogaze.models.metrics import known_metrics
from geogaze.outputs import Kind, check_folder

if TYPE_CHECKING:  # torch takes its time to load
    from collections.abc import Callable

    from torch import Tensor, nn

    from geogaze.evidence.findings import Admitted
    from geogaze.models.agreement import Figures
    from geogaze.models.bundles import Bundle

    Check = Callable[[Bundle], None]

_UNCALIBRATED = (
    "Too few images were held out for a temperature, so probabilities are not calibrated."
)
_PARTS = {"train": "to train by", "validation": "held out", "test": "to test by"}


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="CLASS/*.tif, or such in train/, test/ and maybe validation/; or a labels.csv. Or "
            "scenes with labelled polygons."
        ),
    ],
    bundle_folder: Annotated[
        Path, typer.Option("--out", "-o", help="The bundle; its name is the model's.")
    ],
    arch: ArchOption = "mobilenet_v2",
    init: Annotated[
        str,
        typer.Option(
            help="imagenet, random, a checkpoint (.pth, .safetensors), or a model of --arch."
        ),
    ] = "imagenet",
    trunk: Annotated[
        Literal["frozen", "last", "full"],
        typer.Option(help="How much of it is trained: last is a quarter of its blocks."),
    ] = "full",
    epochs: Annotated[int, typer.Option(min=0, help="Epochs of fine-tuning, at most.")] = 12,
    warm_up: Annotated[int, typer.Option(min=0, help="Epochs of the last layer alone.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="Peak rate of the trunk.")] = 1e-4,
    batch: Annotated[int, typer.Option(min=1, help="Images in a step.")] = 32,
    balance: Annotated[
        bool, typer.Option(help="Let rare classes weigh as much as frequent ones.")
    ] = False,
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after so many epochs that were no better on held-out images; 0: never.",
        ),
    ] = 4,
    validation: Annotated[
        float,
        typer.Option(
            help="Share of the images that are held out, for --patience and the temperature; of "
            "scenes whole ones, unless it is 0."
        ),
    ] = 0.15,
    input_size: InputSizeOption = 224,
    gsd: GsdTrainOption = None,
    bands: BandsOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    rescale: RescaleOption = None,
    task: TaskOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and augmentation.")] = 0,
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="Polygons of the scenes, one file for each. Default: those beside them."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Property of the polygons (GeoJSON) that has their class.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The class of all polygons, where no property has it.")
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Scenes to test by. Default: the first and every seventh after it."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Retrain a classifier on your own classes; writes a bundle for --model.

    From scenes, chips are cut at --gsd: of a class what shows most of it, of the background what
    shows nothing. Probabilities are calibrated on images that are held out. The same command goes
    on after an interruption.

    Example:
        geogaze train chips/ --out my-ships --arch resnet18 --gsd 0.3

        geogaze train airports/*.tif --label airplane --out airplanes --gsd 0.3

        geogaze train chips/ --out quick --init aerial-scenes --trunk frozen --epochs 4

        geogaze run port.tif --out heat --model my-ships

        geogaze train s2-chips/ --out crops --bands B04,B03,B02,B08 --mean 0.1,0.1,0.1,0.3
        --std 0.1,0.1,0.1,0.1 --rescale 0,10000 --init random
    """
    from geogaze.evidence.admission import admit, check_stored
    from geogaze.evidence.device import pick_device
    from geogaze.evidence.findings import Said
    from geogaze.evidence.settling import measure
    from geogaze.models.agreement import figures_of
    from geogaze.networks.cuts import cut_at
    from geogaze.networks.training import Recipe
    from geogaze.networks.training import train as fit
    from geogaze.networks.training.chips import usual_task
    from geogaze.scene.chips import Wanted, chip_values
    from geogaze.scene.cutting import Cut

    taken = described_input(bands, mean, std, rescale)
    settings = get_settings()
    scenes = None
    if missing := next((given for given in data if not given.exists()), None):
        raise InvalidRequest(f"There is no {missing}: name a folder of chips, or scenes.")
    if len(data) > 1 or not data[0].is_dir():
        scenes = labelled_scenes(data, truth, test, by, label, hold_out=validation > 0)
        if task == "sigmoid":
            raise InvalidRequest(
                "Chips of scenes are of one class each: leave out --task sigmoid, or bring chips "
                "with labels.csv."
            )
    elif truth or by or label or test:
        raise InvalidRequest("--truth, --by, --label and --test are of scenes, and not of chips.")
    recipe = Recipe(
        architecture=arch,
        init=resolved(init),
        depth=trunk,
        epochs=epochs,
        warm_up_epochs=warm_up,
        patience=patience,
        # Chips of one scene overlap, so that of scenes only whole ones are held out.
        validation=0.0 if scenes else validation,
        balance=balance,
        batch_size=batch,
        learning_rate=learning_rate,
        input_size=input_size,
        gsd=gsd,
        mean=taken.mean,
        std=taken.std,
        bands=taken.bands,
        rescale=taken.rescale,
        task=task or ("softmax" if scenes else usual_task(data[0])),
        seed=seed,
        device=str(pick_device(settings.device)),
    )

    def self_test(model: nn.Module, names: tuple[str, ...]) -> tuple[Admitted, Check]:
        found = admit(model, Said(names, taken.bands, input_size, task=recipe.task))
        if found.labels_pixels:
            raise InvalidRequest(
                f"{arch} labels pixels, and chips have labels of their own: train a classifier, or "
                "bring weights to 'geogaze models import'."
            )
        return found, partial(check_stored, found=found)

    def agreement(model: nn.Module, images: Tensor, count: int) -> dict[str, Figures]:
        return figures_of(measure(cut_at(model), images, count))

    if scenes:
        check_folder(bundle_folder, Kind.BUNDLE, overwrite=overwrite)  # before there is any work
    with TemporaryDirectory() as made, progress_bar("images", quiet=as_json) as bar:
        tasks: dict[str, TaskID] = {}

        def show(phase: str, done: int, total: int, loss: float) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total)
            text = f"{phase} (loss {loss:.2f})" if loss else phase
            bar.update(tasks[phase], completed=done, description=text)

        wanted = Wanted(taken.bands, taken.rescale, scaled=True)
        read = partial(chip_values, wanted=wanted, mean=taken.mean, settings=settings)
        chips = data[0]
        if scenes:
            chips = Path(made)
            cut = Cut(input_size, gsd, input_size // 2, taken.bands, taken.rescale, seed=seed)
            counts = cut_all(scenes, chips, cut, settings, partial(show, "cutting chips", loss=0))
            for part, found in counts.items():
                told = ", ".join(f"{count:,} {name}" for name, count in sorted(found.items()))
                err.print(f"Chips {_PARTS[part]}: {told}.")
        bundle, accuracy = fit(
            chips,
            bundle_folder,
            recipe,
            show,
            read=read,
            overwrite=overwrite,
            self_test=self_test,
            agreement=agreement,
        )
    metrics = known_metrics(bundle)
    warnings = [] if "calibrated_by" in metrics else [_UNCALIBRATED]
    if as_json:
        print_json(
            {
                "bundle": str(bundle_folder),
                "accuracy": accuracy,
                "metrics": metrics,
                "temperature": bundle.temperature,
                "warnings": warnings,
                "classes": list(bundle.classes),
                "sha256": bundle.weights.removeprefix("sha256:"),
            }
        )
        return
    out.print(
        f"[bold]{bundle.name}[/] is right on {accuracy:.1%} of the test images; its probabilities "
        f"are off by {metrics['ece']:.3f} in the mean. The bundle is {bundle_folder}: recall of "
        "each class, confusion and calibration are in evaluation.json, how it went in curves.png "
        "and, for TensorBoard, in its events.\n"
        f"Use it: geogaze run SCENE --out heat --model {bundle_folder}"
    )
    print_warnings(warnings)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(train)
