"""Networks brought to the door: ``python -m tests.benchmarks.networks [--match TEXT] [--json]``.

Each comes as its owner would bring it: a checkpoint, and a name of torchvision's or a function of
one's own, or a program of torch.export alone. A row says what ``geogaze models import`` found, how
far the maps of all classes are from a plain autograd loop over the network as it was, how many
cells a bright square lands beside its place, and whether a scene ran; or the sentence by which it
was refused. Fails where anything breaks later than at the door. With timm importable, some of its
networks are among them.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from geogaze.cli import main as geogaze_main
from geogaze.config import get_settings
from geogaze.evidence.engines import drop_engines, load_engine
from geogaze.evidence.routes import explain
from geogaze.models.bundles import Bundle
from geogaze.models.item import read_bundle
from geogaze.models.targets import own
from geogaze.networks.architectures import offer, withdraw
from geogaze.networks.cuts import cut_at
from geogaze.networks.loading import load_model
from tests.benchmarks.brought import Brought, checkpoints, images_of, owns, torchvisions
from tests.benchmarks.plain import Watched, off, square_off
from tests.benchmarks.programs import programs
from tests.benchmarks.timms import timms, timms_by_name
from tests.factories import make_scene

EXACT = 1e-5
HALF_A_CELL = 0.5
_DOUBLED = 1e-10
_OWN = "brought"
_MEAN, _STD = 0.45, 0.22


@dataclass(frozen=True)
class Row:
    """What became of a network. ``says`` is the refusal, ``broke`` what should not have been.

    ``off`` is how far its maps are from the plain loop in float64, of the largest value; ``plain``
    how far the plain loop in float32 is itself, and ``doubled`` our maps computed in float64, both
    where ``off`` is more than a float32 loop should be.
    """

    name: str
    found: dict[str, Any] | None = None
    says: str = ""
    off: float | None = None
    plain: float | None = None
    doubled: float | None = None
    square: float | None = None
    broke: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str


def geogaze(*words: object) -> Done:
    """Run a command in this process, where networks may be offered."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    given = ["geogaze", *map(str, words)]
    with mock.patch.object(sys, "argv", given), redirect_stdout(out), redirect_stderr(err):
        try:
            geogaze_main()
        except SystemExit as leaving:
            code = leaving.code or 0
        except Exception as error:
            return Done(99, out.getvalue(), f"{type(error).__name__}: {error}")
    return Done(int(str(code)), out.getvalue(), err.getvalue())


def row_of(brought: Brought, folder: Path) -> Row:
    """Bring a network to the door, and through it where it is let in."""
    started = time.monotonic()
    try:
        row = _brought(brought, folder)
    except Exception as error:
        row = Row(brought.name, broke=f"{type(error).__name__}: {error}"[:300])
    finally:
        drop_engines()
        withdraw(_OWN)
    return Row(**(asdict(row) | {"seconds": round(time.monotonic() - started, 1)}))


def _brought(brought: Brought, folder: Path) -> Row:
    network = brought.built()
    checkpoint = brought.save(network, folder)
    if brought.make:
        offer(_OWN, brought.make)
    done = geogaze(*_words(brought, checkpoint, folder, brought.layer))
    if done.code and brought.proposed and (proposal := re.search(r"--layer (\S+)\.$", done.err)):
        done = geogaze(*_words(brought, checkpoint, folder, proposal[1]))
    if done.code:
        return Row(brought.name, says=_sentence(done), broke=_badly_refused(done, folder))
    found = json.loads(done.out.splitlines()[-1])
    bundle = read_bundle(folder / "mine")
    layer = brought.watched or bundle.module or ""
    watched = Watched(network, layer, brought.places, bundle.stripped, bundle.probabilities)
    ours, plain, exact = _maps(brought, bundle, watched)
    difference = off(ours, exact)
    by_plain = doubled = None
    if difference > EXACT:
        by_plain, doubled = off(plain, exact), off(_in_double(brought, bundle), exact)
    square = None
    if brought.spatial:
        square = square_off(
            watched, brought.bands, brought.size, bundle.stride, bundle.first_center
        )
    broke = _scene(brought, folder)
    if by_plain is not None and difference > 4 * by_plain:
        broke += f" maps are off by {difference:.1e}"
    if doubled is not None and doubled > _DOUBLED:
        broke += f" maps in float64 are off by {doubled:.1e}"
    if square is not None and not square <= HALF_A_CELL:
        broke += f" the square lands {square:.2f} cells off"
    return Row(
        brought.name,
        found,
        off=difference,
        plain=by_plain,
        doubled=doubled,
        square=square,
        broke=broke.strip(),
    )


def _words(
    brought: Brought, checkpoint: Path, folder: Path, layer: str | None
) -> tuple[object, ...]:
    names = folder / "names.txt"
    names.write_text("\n".join(f"class {i}" for i in range(brought.names or brought.classes)))
    words: list[object] = ["models", "import", checkpoint, "--out", folder / "mine"]
    words += ["--classes", names]
    words += [] if brought.exported else ["--arch", _OWN if brought.make else brought.arch]
    words += ["--input-size", brought.size, "--rescale", "0,255", "--json"]
    words += ["--bands", ",".join(f"B{i + 1:02d}" for i in range(brought.bands))]
    for option, value in (("--mean", _MEAN), ("--std", _STD)):
        words += [option, ",".join([str(value)] * brought.bands)]
    words += ["--layer", layer] if layer else []
    words += ["--task", brought.task] if brought.task else []
    return tuple(words)


def _sentence(done: Done) -> str:
    return " ".join(done.err.split())


def _badly_refused(done: Done, folder: Path) -> str:
    """What is wrong with a refusal: all but one line of words, exit status 2, and no bundle."""
    if done.code != 2:
        return f"exit status {done.code}"
    if len(done.err.strip().splitlines()) != 1 or "Traceback" in done.err:
        return "the refusal is not one line"
    return "something was written" if (folder / "mine").exists() else ""


def _maps(brought: Brought, bundle: Bundle, watched: Watched) -> tuple[Any, Any, Any]:
    """Evidence of all classes (K, g, g): what a job computes, the plain loop, and that in float64.

    Drawn weights can amplify rounding, so that a plain loop in float32 is no measure by itself.
    """
    values = images_of(brought)
    engine = load_engine(bundle, get_settings())
    assert bundle.rescale
    pixels = values[0].numpy()
    window = engine.prepare(pixels, np.ones(pixels.shape[1:], bool), bundle.rescale)
    (result,) = engine.explain_tiles(window, [(0, 0)], own(range(brought.classes)))
    weight = next(watched.network.parameters())
    images = (values.to(torch.float64) / 255 - _MEAN) / _STD
    plain = watched.evidence(images.to(weight.dtype))[0]
    exact = replace(watched, network=copy.deepcopy(watched.network).double()).evidence(images)[0]
    return result.evidence[0], plain, exact


def _in_double(brought: Brought, bundle: Bundle) -> Any:
    """Evidence of all classes (K, g, g), by our route, but in float64."""
    images = (images_of(brought).to(torch.float64) / 255 - _MEAN) / _STD
    cut = cut_at(load_model(bundle).double(), bundle.module)
    return explain(cut, images, own(range(brought.classes))).evidence[0].numpy()


def _scene(brought: Brought, folder: Path) -> str:
    """What went wrong on a scene of a few tiles."""
    side = brought.size * 5 // 4
    # Else the fourth band of bytes is written as alpha.
    kind = {} if brought.bands == 3 else {"photometric": "minisblack", "alpha": "no"}
    scene = make_scene(folder / "scene.tif", side, side, bands=brought.bands, **kind)
    done = geogaze("run", scene, "--model", folder / "mine", "--out", folder / "heat", "--json")
    return f"the run ends with {done.code}: {_sentence(done)[-300:]}" if done.code else ""


def everything() -> Iterator[Brought]:
    """All of them."""
    yield from torchvisions()
    yield from checkpoints()
    yield from owns()
    yield from programs()
    yield from timms()
    yield from timms_by_name()


@contextmanager
def here() -> Iterator[Path]:
    """A folder for one network; jobs run on the CPU."""
    settings = {"GEOGAZE_DEVICE": "cpu", "GEOGAZE_RUNTIME": "torch", "COLUMNS": "2000"}
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, settings):
        get_settings.cache_clear()
        yield Path(folder)
    get_settings.cache_clear()


def told(row: Row) -> tuple[str, ...]:
    """A row's cells."""
    if not row.found:
        return (row.name, "refused", row.says.removeprefix("Error: "), "", "", row.broke)
    found = row.found
    grid = f"{found['cells']} cells of {found['stride']} px from {found['first_center']:g}"
    square = "" if row.square is None else f"{row.square:.2f}"
    path = f"{found['path']} at {found['layer']}"
    return (row.name, path, grid, f"{row.off:.0e}", square, row.broke)


def main() -> int:
    """Print a row for each network; 1 where anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only names with this text")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each")
    asked = parser.parse_args()
    torch.set_grad_enabled(True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    table = Table("network", "path, layer", "cells", "off", "square", "broke")
    rows = []
    for brought in everything():
        if asked.match not in brought.name:
            continue
        with here() as folder:
            rows.append(row := row_of(brought, folder))
        shutil.rmtree(folder, ignore_errors=True)
        if asked.json:
            print(json.dumps(asdict(row)), flush=True)
        else:
            table.add_row(*told(row))
            print(*told(row), sep=" | ", flush=True)
    broken = [row.name for row in rows if row.broke]
    accepted = sum(bool(row.found) for row in rows)
    if not asked.json:
        Console().print(table)
    print(
        f"{len(rows)} networks: {accepted} let in, {len(rows) - accepted} refused in a sentence, "
        f"{len(broken)} broke{': ' if broken else ''}{', '.join(broken)}",
        file=sys.stderr,
    )
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
