"""What must be known of a scene to plan a job on it, whatever it is stored as."""

from __future__ import annotations

import math

from affine import Affine
from pydantic import BaseModel, ConfigDict

from geogaze.scene.pieces import Piece
from geogaze.scene.policy import is_remote
from geogaze.scene.ranges import Ranges

_UNEQUAL = 1.2  # sides of a pixel that differ by so much change what a network sees


class SceneInfo(BaseModel):
    """A readable scene.

    ``transform`` holds the affine's first six numbers, ``pixel_metres`` the side of a pixel on the
    ground, ``aspect`` its width over its height there, ``metric_crs`` a CRS in true metres,
    ``rescale`` the values per chosen band that become 0 and 1. ``bands_source`` says what chose
    the bands: ``given``, ``descriptions``, ``colours`` or ``position``. ``warnings`` are for the
    user. ``version`` changes with the file's content, as far as its store can tell. ``decoder``
    turns its blocks into pixels (``gdal 3``); None leaves it to the format's reader. ``pieces`` are
    the files that it is made of, the first that knows a pixel above all others; none where it is
    one file that says all of itself.
    """

    model_config = ConfigDict(frozen=True)

    uri: str
    width: int
    height: int
    crs_wkt: str
    epsg: int | None
    transform: tuple[float, float, float, float, float, float]
    dtype: str
    bands: tuple[int, ...]
    bands_source: str = "given"
    pixel_metres: float
    aspect: float = 1.0
    metric_crs: str | None = None
    rescale: Ranges
    rescale_source: str
    warnings: tuple[str, ...] = ()
    version: str | None = None
    decoder: str | None = None
    pieces: tuple[Piece, ...] = ()

    @property
    def remote(self) -> bool:
        """Whether any of it is fetched from elsewhere, so that reading it may fail for a while."""
        return is_remote(self.uri) or any(is_remote(piece.uri) for piece in self.pieces)

    @property
    def files(self) -> tuple[str, ...]:
        """The addresses of the files that it is read from, each once."""
        return tuple(dict.fromkeys(piece.uri for piece in self.pieces)) or (self.uri,)

    @property
    def affine(self) -> Affine:
        """Pixel (col, row) corners to CRS coordinates."""
        return Affine(*self.transform)


def squares_advice(scene: SceneInfo) -> str | None:
    """What to say of a scene whose pixels are no squares on the ground; None where they are."""
    ratio = max(scene.aspect, 1 / scene.aspect)
    if ratio < _UNEQUAL:
        return None
    width = scene.pixel_metres * math.sqrt(scene.aspect)
    size = f"{scene.pixel_metres:.6g}"
    warp = (
        f", or warp it first: gdalwarp -t_srs {scene.metric_crs} -tr {size} {size} -r bilinear "
        f"{scene.uri.rsplit('/', 1)[-1]} square.tif"
    )
    warp = "" if scene.pieces else warp
    return (
        f"A pixel is {width:.3g} m wide and {width / scene.aspect:.3g} m high on the ground, so "
        f"the model sees everything {ratio:.2g} times too "
        f"{'narrow' if scene.aspect > 1 else 'wide'}. Ask for --square"
        f"{warp if scene.metric_crs else ''}."
    )
