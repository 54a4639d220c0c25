"""An audit as a page to read and to print: one file, no script, no other file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from geogaze.audit import charts
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
@media print{body{max-width:none;padding:0;font-size:10.5pt}section{break-inside:avoid}}
"""


def page(found: Document) -> str:
    """The page of an audit's document, as :func:`geogaze.audit.document.document` makes it."""
    name = found["class"]
    title = f"Is it looking at the {name}?"
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="verdict">{escape(found["verdict"]["words"])}</p>',
            f'<p class="why">{escape(found["verdict"]["why"])}</p>',
            _facts(found),
            _world(found["causal"]),
            _balance(found["balance"], name),
            _places(found),
            _forecast(found["causal"]),
            _thresholds(),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _facts(found: Document) -> str:
    scenes = len(found["scenes"])
    return (
        f'<p class="note">Model {escape(found["model"])}, {found["tiles"]:,} tiles of '
        f"{scenes} scene{'s' if scenes != 1 else ''} at {found['gsd']:.3g} m, "
        f"{found['tiles_with_objects']:,} of them with objects. Brackets hold 95 % intervals: "
        "whole scenes, or blocks of few scenes, drawn again.</p>"
    )


def _world(causal: Document) -> str:
    if not causal["tiles"]:
        return _section("When the world is changed", "<p>No tile could be changed.</p>")
    rows = [
        ("rises above ground without objects", causal["rise"], "logits"),
        ("falls when the object is taken out", causal["drop"], "logits"),
        ("falls by the same edit beside the object", causal["control"], "logits"),
        ("share of the rise that the object carries, R", causal["lost"], ""),
        ("the same, with its surroundings filled in", causal["lost_filled"], ""),
        ("share that it keeps among other surroundings", causal["alone"], ""),
        ("tiles still called so without their object", causal["stays"], ""),
    ]
    gauge = charts.gauge(causal["lost"], SURROUNDINGS_BELOW, OBJECT_ABOVE)
    table = _table(["The class", "", ""], [(name, _figure(f), unit) for name, f, unit in rows])
    probes = [
        (f"made {cue}", f"{share:+.0%}")
        for cue, share in sorted(causal["probes"].items(), key=lambda one: -one[1])
    ]
    return _section(
        "When the world is changed",
        f"<p>{causal['tiles']:,} recognised tiles were changed: objects taken out, surroundings "
        f"replaced.</p><figure>{gauge}</figure>{table}"
        "<p>Ground without objects, changed as a whole, gains of what the object does:</p>"
        f"{_table(['Cue', 'gain'], probes)}"
        '<p class="note">A cue that is the same all over a scene cannot show in R; these probes '
        "are for it.</p>",
    )


def _balance(balance: Document, name: str) -> str:
    sorts = [sort for sort in _SORTS if sort in balance]
    kinds = list(balance[sorts[0]]["evidence"]) if sorts else []
    rows = [(kind, *(_signed(balance[sort]["evidence"][kind]) for sort in sorts)) for kind in kinds]
    rows.append(("bias", *(_signed(balance["bias"]) for _ in sorts)))
    total = ("logit", *(_signed(balance[sort]["logit"]) for sort in sorts))
    heads = ["", *(f"{_SORTS[sort]} ({balance[sort]['tiles']:,})" for sort in sorts)]
    closed = (
        f"Evidence and bias are the logit, to {balance['closure']:.1e} at most"
        if balance["closes"]
        else f"On this network evidence is off the logit by up to {balance['closure']:.2g}"
    )
    bars = ""
    if "right" in balance:
        above = balance["right"]["above_ground"]
        bars = (
            f"<p>Of recognised {escape(name)} tiles, above what ground without objects says:</p>"
            f"<figure>{charts.bars(above, 'logits')}</figure>"
        )
    return _section(
        "The balance sheet",
        f"<p>{closed}: means over tiles, in logits.</p>{_table(heads, rows, total)}{bars}",
    )


def _places(found: Document) -> str:
    enriched, pointing = found["enrichment"], found["pointing"]
    lines = {"this class": enriched, **enriched["baselines"]}
    chart = charts.intervals(lines, "times as much evidence per area on objects as beside them")
    hits = {"this class": pointing, **pointing["baselines"]}
    rows = [(name, _figure(figure)) for name, figure in hits.items()]
    energy = found["energy_inside"]
    large = found["tiles_half_covered"]
    warned = (
        f" Objects cover over half of {large:.0%} of these tiles, where no figure of place means "
        "anything (arXiv:2507.05916)."
        if large > 0.1
        else ""
    )
    return _section(
        "Where the evidence lies",
        f"<figure>{chart}</figure>"
        f"<p>{_figure(energy)} of the positive evidence of recognised tiles lies on objects, which "
        f"cover {_figure(energy['area'])} of them.{warned}</p>"
        f"{_table(['The strongest cell is on an object', ''], rows)}"
        f"<p>By distance from objects, in recognised tiles:</p>"
        f"<figure>{charts.bars(found['distance'], 'logits')}</figure>",
    )


def _forecast(causal: Document) -> str:
    if not causal["tiles"]:
        return ""
    forecast = causal["forecast"]
    rows = [("evidence above ground on the object", _figure(forecast))]
    rows += [(name, _figure(figure)) for name, figure in forecast["rivals"].items()]
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


def _figure(figure: Document) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "–"
    return f"{value:.2f}" if low is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
