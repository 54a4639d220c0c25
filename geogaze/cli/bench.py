"""The commands ``bench …``: how quick geogaze is on this machine, and against what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from geogaze.cli.options import ContextOption, JsonOption, OverlapOption, OverlaysOption, takes
from geogaze.cli.terminal import err, out, print_json
from geogaze.config import get_settings
from geogaze.logs import configure_logging
from geogaze.processes.explain.request import ExplainRequest

bench = typer.Typer(no_args_is_help=True)

ArchOption = Annotated[str, typer.Option("--arch", help="An architecture; random weights do.")]
CountOption = Annotated[int, typer.Option(min=1, help="Number of classes, all explained.")]


@bench.callback()
def _root() -> None:
    """Measure geogaze on this machine.

    Examples:
        geogaze bench engine --arch resnet50 --classes 20

        geogaze bench job city.tif

        geogaze bench read https://maps.example/city.tif

        geogaze bench pipeline city.tif
    """


@bench.command()
def engine(
    arch: ArchOption = "resnet50",
    classes: CountOption = 20,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 8,
    peers: Annotated[
        bool, typer.Option("--peers", help="Run pytorch-grad-cam, captum and torchcam too.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "auto",
    precision: Annotated[
        Literal["fp32", "tf32", "fp16", "bf16"],
        typer.Option("--precision", "--dtype", help="Of the trunk."),
    ] = "fp32",
    runtime: Annotated[
        Literal["auto", "torch", "openvino"], typer.Option(help="What runs the trunk.")
    ] = "auto",
    runs: Annotated[int, typer.Option(min=1, help="Pairs of runs.")] = 11,
    as_json: JsonOption = False,
) -> None:
    """Explaining every class against plain inference: the price of an explanation.

    Example:
        geogaze bench engine --arch vgg16 --classes 20 --peers
    """
    from geogaze.bench.engine import bench_engine

    settings = get_settings()
    configure_logging("error", settings.log_format)
    with err.status(f"measuring {arch}"):
        figures = bench_engine(
            arch,
            classes=classes,
            batch=batch,
            device=device,
            precision=precision,
            runtime=runtime,
            runs=runs,
            peers=peers,
            threads=settings.torch_threads,
        )
    _show(figures, f"{arch}: {classes} classes, batch of {batch}", as_json)


@bench.command()
def pipeline(
    scene: Annotated[Path, typer.Argument(help="A georeferenced GeoTIFF.")],
    arch: ArchOption = "resnet50",
    classes: CountOption = 20,
    overlap: OverlapOption = 0.5,
    context: ContextOption = "tile",
    overlays: OverlaysOption = "none",
    as_json: JsonOption = False,
) -> None:
    """A whole job against the engine alone: what reading and writing cost.

    Example:
        geogaze bench pipeline city.tif --context scene --overlap 0.75
    """
    from geogaze.bench.pipeline import PipelineJob, bench_pipeline

    settings = get_settings()
    configure_logging("error", settings.log_format)
    with err.status(f"running a job on {scene.name}"):
        job = PipelineJob(scene, arch, classes, overlap, context, overlays or "all")
        figures = bench_pipeline(job, settings)
    _show(figures, f"{scene.name}: {arch}, {classes} classes", as_json)


@bench.command()
@takes(ExplainRequest, besides={"priority"})
def job(
    *,
    request: ExplainRequest,
    runtime: Annotated[
        Literal["auto", "torch", "openvino"] | None,
        typer.Option(help="What runs the trunk. Default: GEOGAZE_RUNTIME."),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "tf32", "fp16", "bf16"] | None,
        typer.Option(help="Of the trunk. Default: GEOGAZE_PRECISION."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A job as 'run' does it, whole: where its time goes.

    Example:
        geogaze bench job city.tif --overlap 0.25
    """
    chosen = {"runtime": runtime, "precision": precision}
    settings = get_settings().model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    configure_logging("error", settings.log_format)
    with err.status(f"running a job on {request.source.rsplit('/', 1)[-1]}"):
        from geogaze.bench.job import bench_job

        figures = bench_job(request, settings)
    if as_json:
        print_json(figures)
        return
    _show_job(figures, request.source.rsplit("/", 1)[-1])


@bench.command()
def read(
    scene: Annotated[str, typer.Argument(help="A GeoTIFF's address: https://…, s3://… or a file.")],
    overlap: OverlapOption = 0.5,
    as_json: JsonOption = False,
) -> None:
    """How quickly a scene's pixels come, by each decoder, in the windows that a job reads.

    Example:
        geogaze bench read https://maps.example/city.tif
    """
    settings = get_settings()
    configure_logging("error", settings.log_format)
    request = ExplainRequest(scene=scene, overlap=overlap)
    with err.status("reading"):
        from geogaze.bench.read import bench_read

        figures = bench_read(request, settings)
    _show(figures, scene.partition("?")[0].rsplit("/", 1)[-1], as_json)


def _show_job(figures: dict[str, Any], scene: str) -> None:
    layers = figures["layers"]
    title = f"{scene}: {figures['tiles']:,} tiles, {layers} layer{'s' * (layers != 1)}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.add_column("part", style="bold")
    table.add_column("seconds", justify="right")
    table.add_column("")
    most = max(figures["parts"].values())
    for name, seconds in figures["parts"].items():
        bar = "█" * round(_BAR * seconds / most)
        table.add_row(name, f"{seconds:,.2f}", bar, style="cyan" if name == "network" else None)
    out.print(table)
    rate = figures["overlay_megapixels_per_core_s"]
    drawn = "" if rate is None else f" Overlays: {rate:,.0f} megapixels a second and core."
    out.print(
        f"{figures['seconds']:,.1f} s from start to end, the network at work for "
        f"{figures['efficiency']:.0%} of them ({figures['runtime']}, {figures['precision']})."
        f"{drawn} Most memory: {figures['peak_bytes'] / 2**30:.2f} GiB. Parts are summed over "
        "threads.",
        highlight=False,
    )


_BAR = 40


def _show(figures: dict[str, Any], title: str, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    table = Table(title=title, show_header=False)
    for name, value in figures.items():
        if isinstance(value, dict):
            for peer, facts in value.items():
                table.add_row(f"{name}: {peer}", _facts(facts))
        else:
            table.add_row(name, _short(value))
    out.print(table)


def _facts(facts: object) -> str:
    if isinstance(facts, dict):
        return ", ".join(f"{name} {_short(value)}" for name, value in facts.items())
    return _short(facts)


def _short(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(bench, name="bench")
