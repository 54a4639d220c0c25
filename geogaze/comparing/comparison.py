"""Two finished jobs compared: the differences as layers, the changes as polygons, and figures."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from geogaze.comparing.agreement import Agreement, Changed
from geogaze.comparing.changes import ChangesFile
from geogaze.comparing.describing import SIDES, STYLE, item_of
from geogaze.comparing.finished import Finished
from geogaze.comparing.placing import Placement, Read, is_upright, open_on, placement_of
from geogaze.comparing.scaling import Scaling, own_scales, scaling_of
from geogaze.errors import InvalidRequest, UnknownClass
from geogaze.files import file_stem
from geogaze.grid.lattice import Box, slices
from geogaze.grid.rectangles import Division
from geogaze.grid.sketch import Sketch
from geogaze.outputs import Kind, check_folder, former_products
from geogaze.products.make.areas import CellAreas
from geogaze.products.make.cog import write_cog
from geogaze.products.make.heat import BLOCK, calibrate, lattice_profile
from geogaze.products.page.assembling import PAGE, page_html
from geogaze.products.qgis import colour_pipe, qml

DEFAULT_LEVEL = 0.25
"""Change of heat from which on a cell has changed; also the heat from which on one is hot."""

_SIDE = 1024  # of the blocks that are in memory, cells
_DIFFERENCE = "difference"
_COG = {"COMPRESS": "DEFLATE", "PREDICTOR": "3", "OVERVIEW_RESAMPLING": "AVERAGE"}


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        told: all of it as JSON: how the two were brought together, and figures by class.
        assets: the files by name.
    """

    told: dict[str, Any]
    assets: dict[str, Path]


def compare(
    one: Path,
    other: Path,
    out: Path,
    *,
    level: float = DEFAULT_LEVEL,
    classes: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Compare the heat of two finished jobs, the second with the first.

    Args:
        one: folder of the first, whose lattice is that of all files.
        other: folder of the second.
        out: the folder for what is made.
        level: change of heat from which on a cell has changed, 0..1.
        classes: layers that both have; None for all that they share.
        overwrite: whether an earlier comparison there is replaced.

    Raises:
        InvalidRequest: they do not compare; nothing is written then.
        UnknownClass: one of them has no such layer.
    """
    check_folder(out, Kind.COMPARISON, overwrite=overwrite)
    a, b = Finished.of(one), Finished.of(other)
    layers = _shared(a, b, classes)
    placement = placement_of(a.grid, b.grid)
    side_by_side = _SideBySide(a, b, placement)
    scalings = {name: scaling_of(name, a, b, side_by_side.sketch(name)) for name in layers}
    with tempfile.TemporaryDirectory(prefix="geogaze-compare-") as folder:
        scratch = Path(folder)
        made = scratch / "made"
        made.mkdir()
        figures, files = _made(side_by_side, scalings, level, made, scratch)
        told = {
            "a": str(one),
            "b": str(other),
            "lattice": placement.how,
            "scale": "own" if own_scales(a, b) else "one",
            "threshold": level,
            "notes": _notes(a, b, placement),
            "classes": figures,
        }
        item = item_of(a, b, told, {name: made / file for name, file in files.items()})
        (made / "item.json").write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")
        stale = former_products(out, Kind.COMPARISON)
        out.mkdir(parents=True, exist_ok=True)
        assets = {}
        for name, file in {**files, "item": "item.json"}.items():
            assets[name] = Path(shutil.move(made / file, out / file))
    for former in stale - set(assets.values()):
        former.unlink(missing_ok=True)
    return Comparison(told, assets)


class _SideBySide:
    """The layers of two jobs on the lattice of the first, block by block."""

    def __init__(self, a: Finished, b: Finished, placement: Placement) -> None:
        self.a, self.b, self._placement = a, b, placement
        blocks = Division(a.grid.rows, a.grid.cols, _SIDE)
        self.boxes = tuple(blocks.rectangle(number) for number in range(blocks.count))

    def open(self, layer: str, stack: ExitStack) -> tuple[Read, Read]:
        """Both, open as long as a stack of contexts is."""
        same = Placement("same")
        return (
            stack.enter_context(open_on(self.a.layers[layer], self.a.grid, same)),
            stack.enter_context(open_on(self.b.layers[layer], self.a.grid, self._placement)),
        )

    def sketch(self, layer: str) -> Any:
        """Counts the positive values of one of the two."""

        def count(job: Finished) -> Sketch:
            total = Sketch.merged([])
            with ExitStack() as stack:
                read = self.open(layer, stack)[job is self.b]
                for box in self.boxes:
                    total = Sketch.merged([total, Sketch.of(read(box))])
            return total

        return count


def _made(
    both: _SideBySide, scalings: dict[str, Scaling], level: float, target: Path, scratch: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures by class, and the names of files by those of products."""
    grid = both.a.grid
    areas = CellAreas(grid.crs_wkt, grid.transform)
    figures: dict[str, Any] = {}
    files: dict[str, str] = {}
    draft = scratch / f"{_DIFFERENCE}.tif"
    with ChangesFile(target / "changes.gpkg", grid, level) as changes:
        for name, scaling in scalings.items():
            agreement = Agreement(level)
            _write_layers(both, name, scaling, areas, agreement, scratch)
            if not agreement.cells:
                raise InvalidRequest(
                    f"No cell of {name!r} was looked at in both {both.a.folder} and "
                    f"{both.b.folder}."
                )
            with rasterio.open(draft) as dataset:

                def difference(box: Box, source: Any = dataset) -> NDArray[np.float32]:
                    return np.asarray(source.read(1, window=Window.from_slices(*slices(box))))

                places = changes.add(name, both.boxes, difference)
            figures[name] = {**agreement.told(), "changes": places, **_scales(scaling, both, name)}
            for kind in (_DIFFERENCE, *SIDES):
                file = f"{kind}-{file_stem(name)}.tif"
                files[f"{kind}-{name}"] = file
                write_cog(scratch / f"{kind}.tif", target / file, block=BLOCK, **_COG)
            style = f"{_DIFFERENCE}-{file_stem(name)}.qml"
            files[f"style-{name}"] = style
            (target / style).write_text(qml(colour_pipe(STYLE)), encoding="utf-8")
    for kind, job in zip(SIDES, (both.a, both.b), strict=True):
        if (scene := job.backdrop) and is_upright(grid, job.grid):
            files[f"backdrop-{kind}"] = f"backdrop-{kind}.tif"
            shutil.copyfile(scene, target / f"backdrop-{kind}.tif")
    (target / PAGE).write_text(page_html(), encoding="utf-8")
    return figures, {**files, "changes": "changes.gpkg", "page": PAGE}


def _write_layers(
    both: _SideBySide,
    name: str,
    scaling: Scaling,
    areas: CellAreas,
    agreement: Agreement,
    scratch: Path,
) -> None:
    """Write heat of both, and of the second less the first, and count how far they agree."""
    level = agreement.level
    profile = lattice_profile(both.a.grid) | {"dtype": "float32", "nodata": float("nan")}
    with ExitStack() as stack:
        reads = both.open(name, stack)
        drafts = {
            kind: stack.enter_context(rasterio.open(scratch / f"{kind}.tif", "w", **profile))
            for kind in (*SIDES, _DIFFERENCE)
        }
        for box in both.boxes:
            a, b = (
                read(box) if scale is None else calibrate(read(box), "job", scale)
                for read, scale in zip(reads, scaling, strict=True)
            )
            difference = b - a
            for dataset, values in zip(drafts.values(), (a, b, difference), strict=True):
                dataset.write(values, 1, window=Window.from_slices(*slices(box)))
            area = [
                float(areas.of(box, *np.nonzero(sign * difference >= level)).sum())
                for sign in (1, -1)
            ]
            agreement.add(a, b, Changed(*area))
        compared = f"{both.a.item['id']} {both.b.item['id']}"
        for kind, dataset in drafts.items():
            what = "heat of the second less heat of the first" if kind == _DIFFERENCE else kind
            dataset.set_band_description(1, f"{name} ({what})")
            dataset.update_tags(AREA_OR_POINT="Area", GEOGAZE_CLASS=name, GEOGAZE_COMPARED=compared)


def _scales(scaling: Scaling, both: _SideBySide, name: str) -> dict[str, Any]:
    """What became 1 in each."""
    pairs = zip((both.a, both.b), scaling, strict=True)
    a, b = (job.scale(name) if scale is None else scale for job, scale in pairs)
    return {"scales": {"a": a, "b": b}}


def _shared(a: Finished, b: Finished, classes: Sequence[str] | None) -> list[str]:
    shared = [name for name in a.layers if name in b.layers]
    if not shared:
        raise InvalidRequest(
            f"{a.folder} and {b.folder} have no class in common: they have "
            f"{', '.join(a.layers)} and {', '.join(b.layers)}."
        )
    for name in classes or ():
        if name not in shared:
            raise UnknownClass(f"Not both have a layer {name!r}; they share {', '.join(shared)}.")
    return list(dict.fromkeys(classes)) if classes else shared


def _notes(a: Finished, b: Finished, placement: Placement) -> list[str]:
    """What to keep in mind."""
    notes = []
    if placement.how == "resampled":
        notes.append(
            f"{b.folder} was resampled to the lattice of {a.folder}, bilinear: differences of a "
            "cell's width are of no account."
        )
    if own_scales(a, b):
        notes.append(
            "The two are of different models, layers, methods or contexts, whose evidence has no "
            "one scale: each is compared by its own, 0 to 1."
        )
    return notes
