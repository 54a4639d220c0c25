"""What a job takes, before any work: tiles, layers, bytes, and minutes once its pace is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from geogaze.config import Settings
from geogaze.ledger.spending import Earlier
from geogaze.processes.bill import Bill
from geogaze.processes.explain.finishing import finishing_of

if TYPE_CHECKING:  # GDAL takes its time to load
    from geogaze.processes.explain.plan import Plan

_FLOAT_BYTES = 4
_WITH_OVERVIEWS = 4 / 3
_OVERLAY_BYTES = 1.0  # of a pixel, overviews included: measured, noise 0.97, an airport 0.27
_ROW_BYTES = 120  # of a tile in the table that is kept
_PANEL_BYTES, _PANELS = 1_300_000, 6  # of the contact sheet
_PAGE_BYTES = 600_000  # its scripts are within it
_FILE_BYTES = 30_000  # what a layer's file has besides its pixels


class Quote(BaseModel):
    """What a job takes at most; tiles and cells without data cost less. Sizes are in bytes."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    tiles: int = Field(description="Tiles to explain, those without data included.")
    layers: int = Field(description="Heat layers.")
    rows: int = Field(description="Heat cells down a layer.")
    cols: int = Field(description="Heat cells across a layer.")
    cell_metres: float = Field(description="Side of a heat cell on the ground.")
    products_bytes: int = Field(description="All products.")
    disk_bytes: int = Field(description="Disk or storage while at work, products included.")
    memory_bytes: int = Field(
        description="Memory to put the products together; the network and its batch are besides."
    )
    seconds: float | None = Field(
        default=None,
        description="From its start to its end, as jobs like it went with the workers of then; "
        "left out where there was none.",
    )
    bill: Bill | None = Field(
        default=None, description="What it takes of workers, and the price; likewise."
    )
    footprint: dict[str, Any] | None = Field(
        default=None,
        description="Outline of the whole scene, GeoJSON in longitude and latitude; left out where "
        "these do not tell where it lies.",
    )
    warnings: tuple[str, ...] = Field(
        default=(), description="What may make its heat mean less than it seems, and the mend."
    )


def quote_of(plan: Plan, settings: Settings, earlier: Sequence[Earlier] = ()) -> Quote:
    """What a planned job takes.

    Args:
        plan: the job's plan.
        settings: of whoever does it.
        earlier: jobs like it, whose pace it will have.
    """
    from geogaze.processes.explain.foreseen import foresee
    from geogaze.processes.explain.place import place_of

    scene = plan.scene
    top, left, bottom, right = plan.bounds
    layers, pixels = len(plan.layers), (bottom - top) * (right - left)
    heat = plan.lattice.rows * plan.lattice.cols * _FLOAT_BYTES * _WITH_OVERVIEWS
    overlay = pixels * _OVERLAY_BYTES if plan.overlays != "none" else 0
    table = plan.tiles * (_ROW_BYTES + _FLOAT_BYTES * layers)
    sheet = min(1 + layers, _PANELS) * _PANEL_BYTES
    kept = 1 if plan.stability is None else 2  # layers of floats for each class
    layer = kept * heat + overlay + 2 * _FILE_BYTES
    products = round(layers * layer + overlay + table + sheet + _PAGE_BYTES)
    parts = plan.tiles * layers * plan.tiling.cells**2 * _FLOAT_BYTES
    blocks = plan.lattice.rows * plan.lattice.cols * layers * kept * _FLOAT_BYTES
    # What units draw is kept, and a layer's is copied twice, when it is put in its order.
    drawn = overlay * (1 + layers + 2 * min(settings.lanes, layers))
    ahead = foresee(plan, earlier)
    return Quote(
        tiles=plan.tiles,
        layers=layers,
        rows=plan.lattice.rows,
        cols=plan.lattice.cols,
        cell_metres=plan.cell_metres,
        products_bytes=products,
        disk_bytes=products + parts + blocks + round(drawn),
        memory_bytes=max(finishing_of(plan, settings).values()),
        seconds=ahead.elapsed if ahead else None,
        bill=Bill.of(ahead.spent, ahead.size, settings) if ahead else None,
        footprint=place_of(scene.crs_wkt, scene.affine, (0, 0, scene.height, scene.width)).geometry,
        warnings=plan.warnings,
    )
