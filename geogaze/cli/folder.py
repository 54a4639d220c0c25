"""A folder of pictures, explained one by one: a page to look through, and a table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from geogaze.cli.terminal import out, print_json, print_warnings, progress_bar
from geogaze.config import get_settings
from geogaze.errors import InvalidRequest, SceneUnreadable, SceneUnusable
from geogaze.models.bundles import Bundle
from geogaze.models.sureness import sureness
from geogaze.outputs import check_file
from geogaze.products.make.gallery import Entry, write_gallery, write_table
from geogaze.runner.pictures import Looking
from geogaze.scene.chips import Wanted, read_chip

_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})

Asked = tuple[Bundle, tuple[str, ...], tuple[str, ...] | None, bool]
"""Model, methods, classes, and whether heat is shown as in textbooks."""


def explain_folder(
    folder: Path,
    asked: Asked,
    wanted: Wanted,
    target: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Explain each picture of a folder into another one.

    A picture that cannot be read is named in the page, in the table and at the end.

    Args:
        folder: whose pictures, not those of folders in it.
        asked: what is asked of them.
        wanted: bands and ranges.
        target: the folder for what is made.
        overwrite: whether files of the same names are replaced.
        as_json: end with one line of JSON.

    Raises:
        InvalidRequest: there is no picture, or no place for what is made.
        SceneUnreadable: none can be read.
    """
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
    if not photos:
        raise InvalidRequest(f"{folder} has no picture ({', '.join(sorted(_ENDINGS))}).")
    if target is None:
        raise InvalidRequest(f"Say where what is made of {folder} goes: --out FOLDER.")
    if target.resolve() == folder.resolve():
        raise InvalidRequest(f"{folder} holds the pictures themselves; choose another --out.")
    stems = Counter(path.stem for path in photos)
    names = {p: f"{p.stem if stems[p.stem] == 1 else p.name}.png" for p in photos}
    page, table = target / "index.html", target / "table.csv"
    for file in (page, table, *(target / name for name in names.values())):
        check_file(file, overwrite=overwrite)
    looking, entries = Looking(*asked), []
    with progress_bar("pictures", quiet=as_json) as bar:
        task = bar.add_task("explaining", total=len(photos), speed=None, left=None)
        for photo in photos:
            entries.append(_explained(photo, looking, wanted, target / names[photo]))
            bar.advance(task)
    faults = [f"{entry.image}: {entry.fault}" for entry in entries if entry.fault]
    if len(faults) == len(entries):
        raise SceneUnreadable(f"No picture of {folder} can be read: {faults[0]}")
    write_gallery(
        f"Where {looking.bundle.name} looks in {folder.resolve().name}",
        entries,
        page,
        wide=not looking.one,
    )
    write_table(entries, table, sureness(looking.bundle.rule).name)
    if as_json:
        print_json(
            {
                "model": looking.bundle.name,
                "methods": list(looking.methods),
                "images": len(entries) - len(faults),
                "gallery": str(page),
                "table": str(table),
                "warnings": faults,
            }
        )
        return
    print_warnings(faults)
    out.print(f"{len(entries) - len(faults):,} pictures. Look at [bold]{page}[/]; figures: {table}")


def _explained(photo: Path, looking: Looking, wanted: Wanted, target: Path) -> Entry:
    settings = get_settings()
    try:
        chip = read_chip(photo, wanted, settings)
    except (SceneUnreadable, SceneUnusable) as error:
        return Entry(photo.name, fault=str(error))
    found = looking.explain(chip, settings)
    target.parent.mkdir(parents=True, exist_ok=True)  # now that there is something to keep
    looking.picture(photo.name, chip, found).save(target, format="PNG")
    classes = [(each.shown, each.probability) for each in found[0]]
    return Entry(photo.name, target.name, found[0][0].ranking[0], classes)
