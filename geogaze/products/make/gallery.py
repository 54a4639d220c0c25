"""Many explained pictures: a page to look through, and a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote


class Entry(NamedTuple):
    """An explained picture.

    ``image`` is its name and ``picture`` the file beside the page that shows it; ``best`` its best
    class and ``classes`` those that were explained, each with how probable it is, NaN where the
    model does not say. ``fault`` says why there is none of it, "" where there is.
    """

    image: str
    picture: str = ""
    best: tuple[str, float] = ("", math.nan)
    classes: Sequence[tuple[str, float]] = ()
    fault: str = ""


_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px;
  padding: 0 1rem; }
main { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(WIDE), 1fr)); }
figure { border: 1px solid var(--line); border-radius: 8px; margin: 0; overflow: hidden; }
img { display: block; height: auto; width: 100%; }
figcaption { padding: .6rem .8rem; overflow-wrap: anywhere; }
@media (max-width: 600px) { body { margin: 1rem auto; } h1 { font-size: 1.5rem; } }
figcaption span { opacity: .7; }
"""


def write_gallery(title: str, entries: Sequence[Entry], target: Path, *, wide: bool) -> None:
    """A page that needs nothing but the pictures beside it.

    Args:
        title: what model sees what.
        entries: the pictures, in order.
        target: the HTML file.
        wide: whether pictures are sheets, which take a row each.
    """
    figures = "\n".join(_figure(entry) for entry in entries)
    style = _STYLE.replace("WIDE", "720px, 100%" if wide else "220px, 46%")  # of a phone, two
    target.write_text(
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body><header><h1>{escape(title)}</h1>\n"
        '<p>The figures: <a href="table.csv">table.csv</a>.</p></header>\n'
        f"<main>\n{figures}\n</main></body></html>\n",
        encoding="utf-8",
    )


def write_table(entries: Sequence[Entry], target: Path, said: str) -> None:
    """A row for each picture and class that was explained, with figures that are ``said``."""
    with target.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "class", said, "top_class", f"top_{said}", "picture", "fault"))
        for entry in entries:
            top, surest = entry.best
            for name, probability in entry.classes or (("", math.nan),):
                rows.writerow(
                    (
                        *(entry.image, name, _figures(probability)),
                        *(top, _figures(surest), entry.picture, entry.fault),
                    )
                )


def _figure(entry: Entry) -> str:
    name = f"<b>{escape(entry.image)}</b>"
    if entry.fault:
        return f"<figure><figcaption>{name}<br>{escape(entry.fault)}</figcaption></figure>"
    told = [f"{escape(n)} <span>{_figures(p, 3)}</span>" for n, p in entry.classes]
    if entry.best[0] not in dict(entry.classes):
        told.append(f"best: {escape(entry.best[0])} <span>{_figures(entry.best[1], 3)}</span>")
    said = ", ".join(name for name, _ in entry.classes)
    words = escape(f"Where the model looks in {entry.image} for {said}")
    source = escape(quote(entry.picture))
    return (
        f'<figure><a href="{source}"><img loading="lazy" src="{source}" alt="{words}"></a>'
        f"<figcaption>{name}<br>{'<br>'.join(told)}</figcaption></figure>"
    )


def _figures(probability: float, digits: int = 6) -> str:
    return "" if math.isnan(probability) else f"{probability:.{digits}f}"
