"""The report: a page to print or to send, which holds all that it shows and runs no script."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from geogaze.models.sureness import sureness
from geogaze.products.facts import TOP, JobFacts
from geogaze.products.make.inputs import JobInputs
from geogaze.products.make.preview import sheet_of
from geogaze.products.make.report_style import STYLE
from geogaze.products.make.summary import Line, lines_of
from geogaze.products.outlined import Colours, layer_colours
from geogaze.products.thresholds import OTSU, Threshold
from geogaze.version import VERSION
from geogaze.wording import area, length

Pairs = Sequence[tuple[str, str]]


def make(inputs: JobInputs, target: Path) -> None:
    """The product ``report``."""
    job, lines = inputs.job, list(lines_of(inputs))
    colours = layer_colours(job.layers, job.model.classes)
    parts = (
        _head(job),
        _facts(_key_facts(job, lines)),
        _careful(job.warnings),
        _picture(sheet_of(inputs), job),
        _table(job, lines, colours),
        f"<h2>How it was made</h2>{_list(_parameters(inputs))}",
        f"<h2>How to read it</h2>{''.join(f'<p>{escape(note)}</p>' for note in _notes(job))}",
        f"<footer>Made by geogaze {VERSION}. {_beside(job)}</footer>",
    )
    title = escape(f"Where {job.model.name} looks")
    target.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><main>\n" + "\n".join(parts) + "\n"
        "</main></body></html>\n",
        encoding="utf-8",
    )


def _head(job: JobFacts) -> str:
    scene = job.source.uri.partition("?")[0].rsplit("/", 1)[-1]
    return (
        f"<header><h1>Where {escape(job.model.name)} looks</h1>"
        f'<p class="lead">{escape(job.method.title)} over {escape(scene)}</p></header>'
    )


def _key_facts(job: JobFacts, lines: Sequence[Line]) -> Pairs:
    return (
        ("tiles", f"{job.tiles:,}"),
        ("one heat cell", length(job.grid.cell_metres)),
        ("layers", f"{len(lines):,}"),
        ("hotspots", f"{sum(line.hotspots for line in lines):,}"),
    )


def _facts(pairs: Pairs) -> str:
    inner = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in pairs)
    return f'<dl class="facts">{"".join(inner)}</dl>'


def _careful(warnings: Iterable[str]) -> str:
    told = "".join(f"<p>{escape(warning)}</p>" for warning in warnings)
    return f'<aside class="careful"><strong>Careful</strong>{told}</aside>' if told else ""


def _picture(jpeg: bytes, job: JobFacts) -> str:
    shown = "the layers with most to show" if len(job.layers) > 1 else "the layer"
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img alt="Contact sheet: the scene, and {shown} over it" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>The scene, and {shown} over it.'
        "</figcaption></figure>"
    )


def _table(job: JobFacts, lines: Sequence[Line], colours: Colours) -> str:
    rule = job.model.rule
    tiles = {"softmax": "best class of", "none": ""}.get(rule, "in")
    heads = ["layer"]
    heads += [f"{tiles} tiles"] if tiles else []
    heads += [sureness(rule).highest] if tiles else []
    heads += ["hotspots", "their area", "largest", "hottest"]
    most = max((line.tiles or 0 for line in lines), default=0) or 1
    order = sorted(lines, key=lambda line: (-(line.tiles or 0), -(line.probability or 0)))
    rows = "".join(_row(line, colours[line.layer], most, probable=bool(tiles)) for line in order)
    head = "".join(
        f'<th scope="col"{_BESIDES if text in _LESS else ""}>{text}</th>' for text in heads
    )
    return (
        "<h2>Layer by layer</h2>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


_BESIDES = ' class="besides"'  # what a phone has no room for
_LESS = {"largest", "hottest"}


def _row(line: Line, colour: tuple[int, int, int], most: int, *, probable: bool) -> str:
    swatch = f'<span class="swatch" style="background:rgb{colour}"></span>'
    cells = [f"<td>{swatch}{escape(line.layer)}</td>"]
    if probable:
        cells.append(_measured(line.tiles, f"{line.tiles or 0:,}", (line.tiles or 0) / most))
        cells.append(
            _measured(line.probability, f"{line.probability or 0:.2f}", line.probability or 0)
        )
    cells += [
        f"<td>{line.hotspots:,}</td>",
        f"<td>{area(line.area) if line.hotspots else '–'}</td>",
        f"<td{_BESIDES}>{area(line.largest) if line.largest else '–'}</td>",
        f"<td{_BESIDES}>{'–' if line.peak is None else f'{line.peak:.2f}'}</td>",
    ]
    nowhere = ' class="nowhere"' if line.tiles == 0 else ""
    return f"<tr{nowhere}>{''.join(cells)}</tr>"


def _measured(value: float | None, text: str, share: float) -> str:
    """A figure, and beside it a bar."""
    if value is None:
        return "<td>–</td>"
    bar = f'<span class="bar"><i style="width:{100 * min(share, 1):.0f}%"></i></span>'
    return f"<td>{text}{bar}</td>"


def _list(pairs: Pairs) -> str:
    inner = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs)
    return f'<dl class="plain">{"".join(inner)}</dl>'


def _parameters(inputs: JobInputs) -> Pairs:
    job, source = inputs.job, inputs.job.source
    ranges = ", ".join(f"{low:g} to {high:g}" for low, high in dict.fromkeys(source.rescale))
    bands = ", ".join(map(str, source.bands))
    at = "" if job.method.per_pixel else f", at {job.model.module}"
    ran = "; ".join(f"{way['runtime']}, {way['precision']}" for way in inputs.record.ran)
    return [
        ("Scene", source.uri.partition("?")[0]),
        ("Bands", f"{bands} for {', '.join(job.model.bands)} (by {source.bands_source})"),
        ("Values", f"{ranges} ({source.rescale_source})"),
        ("Resolution", f"{length(job.gsd_metres)} per pixel"),
        ("Tiles", f"{job.tiling.tile_size} pixels wide, overlap {_overlap(job):.0%}"),
        ("Model", f"{job.model.name}, weights {job.model.weights}"),
        ("Method", f"{job.method.title}{at} ({job.method.source})"),
        ("Context", {"tile": "each tile by itself", "scene": "tiles share one run"}[job.context]),
        ("Scale", _SCALES[job.normalize]),
        ("Hotspots", f"cells whose heat is at least {_threshold(job.threshold)}"),
        *([("Run by", ran)] if ran else []),
    ]


_SCALES = {
    "job": "0 to 1, one for each class over the whole scene",
    "tile": "0 to 1 within each tile",
    "none": "none: raw evidence, in logits",
}


def _threshold(threshold: Threshold) -> str:
    if isinstance(threshold, float):
        return f"{threshold:g}"
    if threshold == OTSU:
        return "what parts each layer's heat in two, by Otsu's method"
    return f"the quantile {threshold[1:]} of each layer's cells"


def _overlap(job: JobFacts) -> float:
    return 1 - job.tiling.step / job.tiling.cells


def _beside(job: JobFacts) -> str:
    figures = "shares of pixels" if job.model.rule == "shares" else "probabilities"
    return (
        f"The layers, the hotspots as polygons and every tile's {figures} lie beside this file; "
        "item.json describes them."
    )


def _notes(job: JobFacts) -> list[str]:
    """What a reader should know before trusting a figure."""
    compare = {
        "job": "Heat has one scale for each class over the whole scene: tiles compare, classes do "
        "not. A class that is nowhere still has its own strongest cell, and so its hotspots; its "
        f"{sureness(job.model.rule).highest} says whether they mean anything.",
        "tile": "Heat is scaled within each tile: tiles do not compare, and noise shines as bright "
        "as an object.",
        "none": "Heat is signed evidence in logits: what is below 0 speaks against the class.",
    }[job.normalize]
    notes = [_HEAT, compare, _HOTSPOT]
    if job.layers == (TOP,):
        notes.append("The layer top shows each tile's own best class.")
    return notes + ([job.method.note] if job.method.note else [])


_HEAT = """\
Heat says where the evidence for a class lies in what the network was shown. It is no outline of
objects, and its honest resolution is one heat cell."""
_HOTSPOT = """\
A hotspot is cells that touch along an edge and are hot enough; its area is that on the ellipsoid.
Cells of which less than half the pixels are valid were not looked at."""
