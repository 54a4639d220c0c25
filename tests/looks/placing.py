"""A job that clients draw: how far off their pictures of it lie, and what they asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_bounds
from rasterio.warp import Resampling, reproject

from geogaze.products.colormaps import Stop
from tests.looks.counting import Counted

MOST_OFF = 0.5  # cells
STEPS = np.arange(-1, 1.01, 0.125)  # cells that a picture is tried to be off
Bounds = tuple[float, float, float, float]


@dataclass
class Job:
    """A job of a server that counts, its file of the layer, and the table so far."""

    app: Counted
    base: str
    id: str
    scene: Path
    cog: Path
    stops: tuple[Stop, ...]
    rows: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.base}/jobs/{self.id}"

    @property
    def wmts(self) -> str:
        return f"{self.address}/wmts/1.0.0/WMTSCapabilities.xml"

    def tell(self, client: str, product: str, off: float | None, most: int = 1000) -> None:
        """Put down a line of the table, of what was asked for since the last."""
        count = self.app.taken()
        place = "–" if off is None else f"{off:.3f}"
        line = f"{client:16}{product:34}{place:>8}{count.requests:>10}{count.size / 1000:>10.1f}"
        self.rows.append(line)
        assert not count.failed
        assert 0 < count.requests <= most, count.paths
        assert off is None or off <= MOST_OFF, line

    def off(self, alpha: NDArray[np.uint8], bounds: Bounds, crs: str) -> float:
        """How far from its file the heat in a picture lies, in cells of the file."""
        rows, cols = alpha.shape
        grid = from_bounds(*bounds, cols, rows)
        with rasterio.open(self.cog) as cog:
            values, place, source = cog.read(1), cog.transform, cog.crs
        table = np.array(self.stops)
        scores = {}
        for across in STEPS:
            for down in STEPS:
                drawn = np.full(alpha.shape, np.nan, np.float32)
                reproject(
                    values,
                    drawn,
                    src_transform=place @ place.translation(across, down),
                    src_crs=source,
                    src_nodata=np.nan,
                    dst_transform=grid,
                    dst_crs=crs,
                    dst_nodata=np.nan,
                    resampling=Resampling.bilinear,
                )
                expected = np.interp(np.nan_to_num(drawn), table[:, 0], table[:, 4])
                scores[across, down] = np.square(expected - alpha).mean()
        assert alpha.max() > 100, "there is nothing in the picture"
        best = min(scores, key=lambda shift: scores[shift])
        assert scores[best] < np.square(alpha.astype(float)).mean() / 4, "it is another picture"
        return float(max(abs(part) for part in best))
