"""Scenes with labelled polygons, for ``geogaze train``: chips of them, some to test by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from geogaze.cli.truths import truths_of
from geogaze.config import Settings
from geogaze.errors import InvalidRequest

if TYPE_CHECKING:
    from geogaze.scene.cutting import Cut

_HELD_OUT = 7  # every so many-th scene is to test by


@dataclass(frozen=True)
class Labelled:
    """Scenes to train by, to hold out of it and to test by, each with its polygons; ``by`` is the
    property that has the class, ``label`` the class of all of them.
    """

    training: Sequence[tuple[str, Path]]
    validation: Sequence[tuple[str, Path]]
    testing: Sequence[tuple[str, Path]]
    by: str | None
    label: str | None


def labelled_scenes(
    scenes: Sequence[Path],
    truth: list[Path] | None,
    test: list[Path] | None,
    by: str | None,
    label: str | None,
    *,
    hold_out: bool = True,
) -> Labelled:
    """Which scenes are to train and to test by.

    Without a word the first and every seventh after it are to test by; of those that are left, the
    first and every seventh are held out, if there are three or more, unless ``hold_out`` is False.

    Raises:
        InvalidRequest: nobody says what the polygons are, none is left to test by, or a file is
            missing.
    """
    if (by is None) == (label is None):
        raise InvalidRequest(
            "Say what the polygons are: --by PROPERTY that has the class of each, or --label NAME "
            "of them all."
        )
    names = [str(scene) for scene in scenes]
    pairs = list(zip(names, truths_of(names, truth), strict=True))
    if test:
        tested = [str(scene) for scene in test]
        trained = {scene.resolve() for scene in scenes}
        if both := [scene for scene in test if scene.resolve() in trained]:
            raise InvalidRequest(f"{both[0]} is to train by, so it cannot be to test by.")
        testing = list(zip(tested, truths_of(tested, None), strict=True))
    elif len(pairs) < 2:
        raise InvalidRequest(
            "One scene cannot be both to train and to test by: name others with --test."
        )
    else:
        testing = pairs[::_HELD_OUT]
        pairs = [pair for pair in pairs if pair not in testing]
    held_out = pairs[::_HELD_OUT] if hold_out and len(pairs) > 2 else []
    return Labelled([pair for pair in pairs if pair not in held_out], held_out, testing, by, label)


def cut_all(
    scenes: Labelled, folder: Path, cut: Cut, settings: Settings, say: Callable[[int, int], None]
) -> dict[str, Counter[str]]:
    """Chips of scenes as ``train/CLASS/*.tif``, ``validation/…`` and ``test/…``, and how many.

    ``say`` is told how many scenes of how many of a part are done. Chips to train by overlap by
    half, with as much background as objects; the others are all tiles of their scenes.

    Raises:
        InvalidRequest: a scene or its polygons are no use, or a class is not in all parts.
    """
    from geogaze.scene.cutting import cut_chips

    found: dict[str, Counter[str]] = {}
    whole = replace(cut, step=cut.size, background=None)
    parts = {
        "train": (scenes.training, cut),
        "validation": (scenes.validation, whole),
        "test": (scenes.testing, whole),
    }
    for part, (pairs, how) in parts.items():
        if not pairs:
            continue
        found[part] = Counter()
        for number, (scene, truth) in enumerate(pairs):
            areas = _areas(truth, scenes.by, scenes.label)
            name = f"{number:03}-{Path(scene).stem}"  # others may be called alike
            drawn = replace(how, seed=cut.seed + number)
            found[part] += cut_chips(scene, name, areas, folder / part, drawn, settings)
            say(number + 1, len(pairs))
    classes = [set(counts) for counts in found.values()]
    everywhere = [name for name in classes[0] if all(name in one for one in classes)]
    if alone := sorted(set().union(*classes).difference(everywhere)):
        raise InvalidRequest(
            f"Chips of {', '.join(alone)} are not in each part of the scenes: those to train by, "
            "to hold out and to test by. Choose with --test which are to test by, or hold none out "
            "(--validation 0)."
        )
    return found


def _areas(truth: Path, by: str | None, label: str | None) -> dict[str, dict[str, Any]]:
    """GeoJSON polygons by class."""
    from geogaze.scene.areas import read_area, read_parted
    from geogaze.scene.cutting import BACKGROUND

    found = {str(label): read_area(str(truth))} if by is None else read_parted(truth, by)
    if not found:
        raise InvalidRequest(f"No feature of {truth} has a property {by!r}.")
    for name in found:
        if name == BACKGROUND:
            raise InvalidRequest(f"{truth}: {name!r} is what no polygon covers, and no class.")
        if name in {"", ".", ".."} or "\0" in name or name != PurePath(name).name:
            raise InvalidRequest(
                f"{truth}: the class {name!r} would be a folder of chips, and cannot be one's "
                "name: call it otherwise, without slashes."
            )
    return found
