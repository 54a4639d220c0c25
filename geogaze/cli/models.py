"""The commands ``models …``: what can be used, and bringing in weights of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from geogaze.cli import export, importing, registering
from geogaze.cli.options import JsonOption
from geogaze.cli.terminal import out, print_json
from geogaze.config import get_settings
from geogaze.errors import UnknownModel
from geogaze.models.agreement import Agreement, figures_of, known_agreement
from geogaze.models.bundles import Bundle
from geogaze.models.checking import Checked, check, weights_bytes, weights_sha256
from geogaze.models.metrics import known_metrics
from geogaze.models.registered import Registry
from geogaze.models.registry import (
    SHIPPED,
    find_bundle,
    find_model,
    list_bundles,
    torchvision_catalogue,
)
from geogaze.models.versions import parse_model
from geogaze.wording import length

models = typer.Typer(invoke_without_command=True)


@models.callback()
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models that --model takes.

    Examples:
        geogaze models

        geogaze models show aerial-scenes

        geogaze models import weights.pth --arch squeezenet1_0 --classes imagenet --out my-model
    """
    if not context.invoked_subcommand:
        _list(as_json)


@models.command("list")
def list_again(as_json: JsonOption = False) -> None:
    """List the models that --model takes, as models alone does."""
    _list(as_json)


def _list(as_json: bool) -> None:
    bundles = list_bundles(get_settings().model_folders)
    catalogue = torchvision_catalogue()
    registry = Registry.of(get_settings())
    registered = [
        _facts(registry.description(version)) | registry.told(name) | {"version": version.version}
        for name in registry.names()
        if (version := registry.find(name))
    ]
    if as_json:
        print_json([*registered, *(_facts(b) for b in (*bundles, *catalogue.values()))])
        return
    name = Column("model", no_wrap=True)  # what --model takes: the others may fold
    table = Table(name, "architecture", "classes", "input", "cell", "trained at", "like fp32")
    for bundle in bundles:
        table.add_row(
            f"[bold]{bundle.name}[/]",
            bundle.architecture,
            str(len(bundle.classes)),
            f"{bundle.input_size} px",
            f"{bundle.stride} px",
            length(bundle.gsd) if bundle.gsd else "–",
            _like_fp32(known_agreement(bundle, get_settings().kept_in)),
        )
    out.print(table)
    if registered:
        out.print(_versions(registered))
    out.print(
        f"And torchvision's published ImageNet models by name ({len(catalogue)}): "
        f"{', '.join(catalogue)}.",
        highlight=False,
    )


@models.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name or a bundle's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a model's facts and class names; of a registered one its versions, too."""
    bundle = find_model(model, get_settings(), allow_path=True)
    told = _facts(bundle)
    if not Path(model).exists() and (named := parse_model(bundle.name)) and named.reference:
        registered = Registry.of(get_settings()).told(named.name)
        told |= {**registered, "name": bundle.name, "version": named.reference}
    if as_json:
        print_json(told)
        return
    if "versions" in told:
        out.print(_versions([{**told, "name": bundle.name.partition("@")[0]}]))
    table = Table(show_header=False, title=bundle.name)
    for name, value in bundle.model_dump(mode="json", exclude_none=True).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(name, shown)
    metrics = known_metrics(bundle)
    if "test_accuracy" in metrics:
        table.add_row("right on test images", f"{metrics['test_accuracy']:.1%}")
    if "ece" in metrics:
        table.add_row("calibration error", f"{metrics['ece']:.3f}")
    for precision, found in known_agreement(bundle, get_settings().kept_in).items():
        table.add_row(f"{precision} against fp32", str(found))
    out.print(table)


@models.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models' names or folders. Default: all bundles and versions."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read all of a bundle's files, and compare them with the sha256 that it names.

    A version's in the registry are compared with what was added. Exit code 2 where one is missing
    or another. Workers compare, too, before they use one.
    """
    settings = get_settings()
    registry = Registry.of(settings)
    if names:
        found = dict(_check(name, registry) for name in names)
    else:
        found = {bundle.name: check(bundle) for bundle in list_bundles(settings.model_folders)}
        versions = (version for name in registry.names() for version in registry.versions(name))
        found |= {version.model: registry.check(version) for version in versions}
    checked = {name: [asdict(one) for one in files] for name, files in found.items()}
    if as_json:
        print_json(checked)
        return
    for name, files in checked.items():
        for one in files:
            size = f"{one['bytes']:,} bytes"
            out.print(
                f"[bold]{name}[/] {one['file']}: {size}, sha256 {one['sha256']}", soft_wrap=True
            )


@models.command(hidden=True)
def catalogue(
    target: Annotated[Path, typer.Argument()] = SHIPPED / "torchvision.json",
) -> None:
    """Write the description of torchvision's published models (for developers)."""
    from geogaze.networks.catalogue import describe_torchvision

    target.write_text(json.dumps(describe_torchvision(), indent=1) + "\n")


def _check(model: str, registry: Registry) -> tuple[str, list[Checked]]:
    """A model's name, and its files."""
    try:
        bundle = find_bundle(model, get_settings().model_folders, allow_path=True)
    except UnknownModel:
        if version := registry.find(model):
            return version.model, registry.check(version)
        raise
    return bundle.name, check(bundle)


def _versions(registered: Sequence[Mapping[str, Any]]) -> Table:
    """Registered models' versions, those added last below."""
    name = Column("registered", no_wrap=True)
    table = Table(name, "also", "architecture", "classes", "right", "calibration error", "added")
    for model in registered:
        for one in model["versions"]:
            metrics = one["metrics"]
            right, ece = metrics.get("test_accuracy"), metrics.get("ece")
            table.add_row(
                f"[bold]{model['name']}@{one['version']}[/]",
                ", ".join(one["aliases"]),
                one["architecture"],
                str(len(one["classes"])),
                "–" if right is None else f"{right:.1%}",
                "–" if ece is None else f"{ece:.3f}",
                one["added"][:10],
            )
    return table


def _facts(bundle: Bundle) -> dict[str, object]:
    known = figures_of(known_agreement(bundle, get_settings().kept_in))
    besides = {
        "sha256": weights_sha256(bundle),
        "bytes": weights_bytes(bundle),
        "agreement": known,
        "metrics": known_metrics(bundle),
    }
    told = {name: found for name, found in besides.items() if found}
    return bundle.model_dump(mode="json", exclude_none=True) | told


def _like_fp32(known: dict[str, Agreement]) -> str:
    """Precisions that keep what fp32 gives; a dash where none was measured."""
    if not known:
        return "–"
    return ", ".join(precision for precision, found in known.items() if found.holds) or "none"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    importing.add_to(models)
    export.add_to(models)
    registering.add_to(models)
    app.add_typer(models, name="models")
