"""An audit as a page to read and to print: one file, no script, no other file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from geogaze.audit import charts
from geogaze.audit.charts import Figure
from geogaze.audit.verdict import OBJECT_ABOVE, PROBE_ABOVE, SURROUNDINGS_BELOW

Document = dict[str, Any]

_SORTS = {
    "right": "Objects that are recognised",
    "missed": "Objects that are missed",
    "wrong": "Ground that is taken for one",
    "ground": "Ground without objects",
}

_STYLE = """
:root{--ink:#1c2330;--soft:#5b6475;--line:#d9dde5;--paper:#fff;--shade:#f4f6f9;--for:#2166ac;
--against:#b2582b;--mark:#111827}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#343c4a;
--paper:#12161d;--shade:#1a2029;--for:#6aaeea;--against:#e0915f;--mark:#f3f4f6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:50rem;padding:2.5rem 1.25rem 4rem;background:var(--paper);
color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.05rem;font-weight:600;color:var(--soft);margin:0}
.verdict{font-size:1.9rem;line-height:1.2;font-weight:650;margin:.3rem 0 .6rem;
letter-spacing:-.01em}
.why,.note{color:var(--soft)}
h2{font-size:1.15rem;margin:2.6rem 0 .3rem}
table{border-collapse:collapse;width:100%;margin:.8rem 0;font-variant-numeric:tabular-nums}
td,th{padding:.32rem .5rem;border-bottom:1px solid var(--line);text-align:right;
font-weight:400;vertical-align:baseline}
td:first-child,th:first-child{text-align:left;padding-left:0}
th{color:var(--soft);font-size:.85rem}
.total td{font-weight:650;border-bottom:0}
.note{font-size:.9rem;max-width:42rem}
figure{margin:.8rem 0;overflow-x:auto}
svg{display:block;width:100%;height:auto;min-width:20rem}
svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
svg .soft{fill:var(--soft)}
@media (max-width:30rem){table{font-size:.8rem}td,th{padding:.32rem .2rem}
body{padding:1.5rem 1rem 3rem}.verdict{font-size:1.5rem}}
@media print{body{max-width:none;padding:0;font-size:10.5pt}section{break-inside:avoid}}
"""


def page(found: Document) -> str:
    """The page of an audit's document, as :func:`geogaze.audit.document.document` makes it."""
    ((name, one),) = found["classes"].items()
    title = f"Is it looking at the {name}?"
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="verdict">{escape(one["words"])}</p>',
            f'<p class="why">{escape(one["why"])}</p>',
            _facts(found, one),
            _beside(found, one),
            _world(one["causal"]),
            _balance(one, name),
            _places(one),
            _forecast(one),
            _thresholds(),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _facts(found: Document, one: Document) -> str:
    scenes = len(found["scenes"])
    return (
        f'<p class="note">Model {escape(found["model"])}, {one["tiles"]:,} tiles of '
        f"{scenes} scene{'s' if scenes != 1 else ''} at {found['gsd']:.3g} m, "
        f"{one['tiles_with_objects']:,} of them with objects. Brackets hold 95 % intervals: "
        "whole scenes, or blocks of few scenes, drawn again.</p>"
    )


_BESIDE = {
    "ratio": "share of the rise that the object carries, R",
    "stays": "tiles still called so without their object",
    "rise": "rises above ground without objects, logits",
    "enrichment": "evidence per area on objects over that beside them",
    "energy_share": "share of positive evidence on objects",
    "pointing": "the strongest cell is on an object",
    "forecast": "evidence foretells the loss",
}


def _beside(found: Document, one: Document) -> str:
    """Another model's figures in a column of their own, where there is one."""
    other = found.get("beside")
    if other is None:
        return ""
    heads = ["", found["model"], other["model"]]
    rows = [("verdict", one["verdict"], other["verdict"])]
    for name, said in _BESIDE.items():
        first, second = (
            _told(_of(part if name in part else part["causal"], name)) for part in (one, other)
        )
        rows.append((said, first, second))
    same = (
        ""
        if other["scenes"] == found["scenes"]
        else '<p class="note">The two were not audited on the same scenes.</p>'
    )
    return _section("Two models", f"{_table(heads, rows)}{same}")


def _world(causal: Document) -> str:
    if not causal["tiles"]:
        return _section("When the world is changed", "<p>No recognised tile could be changed.</p>")
    rows = [
        ("rises above ground without objects", "rise", "logits"),
        ("falls when the object is taken out", "drop", "logits"),
        ("falls by the same edit beside the object", "control", "logits"),
        ("share of the rise that the object carries, R", "ratio", ""),
        ("the same, with its surroundings filled in", "ratio_filled", ""),
        ("share that it keeps among other surroundings", "alone", ""),
        ("tiles still called so without their object", "stays", ""),
    ]
    gauge = charts.gauge(_of(causal, "ratio"), SURROUNDINGS_BELOW, OBJECT_ABOVE)
    lines = [(said, _told(_of(causal, name)), unit) for said, name, unit in rows]
    probes = [
        (
            f"made {cue}",
            f"{causal['probes'][cue]:+.0%}",
            f"{causal['probes_on_objects'][cue]:+.0%}",
            _told(keeps),
        )
        for cue, keeps in _all_of(causal, "keeps").items()
    ]
    relies = [(what, _told(figure)) for what, figure in _all_of(causal, "relies").items()]
    return _section(
        "When the world is changed",
        f"<p>{causal['tiles']:,} recognised tiles were changed: objects taken out, surroundings "
        f"replaced.</p><figure>{gauge}</figure>{_table(['The class', '', ''], lines)}"
        "<p>Changed as a whole, ground without objects and tiles with them gain of the rise, and "
        "so many tiles are still called so:</p>"
        f"{_table(['Cue', 'ground', 'objects', 'still called so'], probes)}"
        '<p class="note">A cue that is the same all over a scene cannot show in R; these probes '
        "are for it.</p>"
        "<p>Of its rise the class loses, with tiles and ground alike changed as a whole:</p>"
        f"{_table(['Without their', 'loss'], relies)}",
    )


def _balance(one: Document, name: str) -> str:
    sheets = {sort: one["sheets"][sort] for sort in _SORTS if sort in one["sheets"]}
    kinds = list(next(iter(sheets.values()))["evidence"]) if sheets else []
    rows = [
        (kind, *(_signed(sheet["evidence"][kind]) for sheet in sheets.values())) for kind in kinds
    ]
    rows.append(("bias", *(_signed(one["bias"]) for _ in sheets)))
    total = ("logit", *(_signed(sheet["logit"]) for sheet in sheets.values()))
    heads = ["", *(f"{_SORTS[sort]} ({sheet['tiles']:,})" for sort, sheet in sheets.items())]
    closed = (
        f"Evidence and bias are the logit, to {one['closure']:.1e} at most"
        if one["closes"]
        else f"On this network evidence is off the logit by up to {one['closure']:.2g}"
    )
    bars = ""
    if "right" in sheets:
        above = sheets["right"]["above_ground"]
        bars = (
            f"<p>Of recognised {escape(name)} tiles, above what ground without objects says:</p>"
            f"<figure>{charts.bars(above, 'logits')}</figure>"
        )
        if context := one["context"]:
            most = max(context, key=lambda kind: context[kind])
            bars += (
                f"<p>Of what lies beside objects, {context[most]:.0%} lies on {escape(most)}.</p>"
            )
    return _section(
        "The balance sheet",
        f"<p>{closed}: means over tiles, in logits.</p>{_table(heads, rows, total)}{bars}",
    )


def _places(one: Document) -> str:
    lines = {"this class": _of(one, "enrichment"), **_all_of(one, "baselines")}
    chart = charts.intervals(lines, "times as much evidence per area on objects as beside them")
    hits = {"this class": _of(one, "pointing"), **_all_of(one, "pointing_baselines")}
    rows = [(name, _told(figure)) for name, figure in hits.items()]
    large = one["tiles_half_covered"]
    warned = (
        f" Objects cover over half of {large:.0%} of these tiles, where no figure of place means "
        "anything (arXiv:2507.05916)."
        if large > 0.1
        else ""
    )
    return _section(
        "Where the evidence lies",
        f"<figure>{chart}</figure>"
        f"<p>{_told(_of(one, 'energy_share'))} of the positive evidence of recognised tiles lies "
        f"on objects, which cover {_told(_of(one, 'area_share'))} of them.{warned}</p>"
        f"{_table(['The strongest cell is on an object', ''], rows)}"
        f"<p>By distance from objects, in recognised tiles:</p>"
        f"<figure>{charts.bars(one['distance'], 'logits')}</figure>",
    )


def _forecast(one: Document) -> str:
    if not one["causal"]["tiles"]:
        return ""
    rows = [("evidence above ground on the object", _told(_of(one, "forecast")))]
    rows += [(name, _told(figure)) for name, figure in _all_of(one, "forecast_rivals").items()]
    return _section(
        "Does the evidence foretell the change?",
        "<p>Rank correlation, over all tiles with objects, with the logit lost without them:</p>"
        f"{_table(['Forecast by', ''], rows)}",
    )


def _thresholds() -> str:
    return _section(
        "How this is judged",
        f'<p class="note">Thresholds were fixed before: the object, where R and its interval lie '
        f"over {OBJECT_ABOVE}; surroundings, where they lie under {SURROUNDINGS_BELOW}; a global "
        f"cue, where ground gains over {PROBE_ABOVE:.0%} by one; else mixed. Where evidence lies "
        "is told beside what else would lie so, and does not judge: networks without a bias differ "
        "in it too.</p>",
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>"


def _table(
    heads: Sequence[str], rows: Sequence[tuple[str, ...]], total: tuple[str, ...] | None = None
) -> str:
    def line(cells: Sequence[str], tag: str, kind: str = "") -> str:
        inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        return f"<tr{kind}>{inner}</tr>"

    head = line(heads, "th") if any(heads) else ""
    body = "".join(line(row, "td") for row in rows)
    last = line(total, "td", ' class="total"') if total else ""
    return f"<table>{head}{body}{last}</table>"


def _signed(value: float) -> str:
    """With its sign, and nothing as +0.00."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _of(found: Document, name: str) -> Figure:
    """A figure of a document with its interval."""
    return _with_interval(found[name], found[f"{name}_interval"])


def _all_of(found: Document, name: str) -> dict[str, Figure]:
    """Figures by name, likewise."""
    ends = found[f"{name}_intervals"]
    return {one: _with_interval(value, ends[one]) for one, value in found[name].items()}


def _with_interval(value: float | None, ends: list[float] | None) -> Figure:
    low, high = ends or (None, None)
    return {"value": value, "low": low, "high": high}


def _told(figure: Figure) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "–"
    return f"{value:.2f}" if low is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
