"""``geogaze.open_results``: a finished job's products, from a folder or an API, as arrays."""

from __future__ import annotations

import base64
import html
import json
import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from geogaze.client import Client
from geogaze.errors import InvalidRequest, UnknownClass
from geogaze.extras import need
from geogaze.notebook.exploring import Explored
from geogaze.notebook.labelled import data_array
from geogaze.outputs import Kind, kind_of
from geogaze.seen import Seen, seen_in

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from xarray import DataArray

_HEAT = "heat-"


@dataclass(frozen=True)
class Results:
    """A job's products in a folder.

    Attributes:
        folder: where they lie.
        item: the STAC Item that describes them, ``item.json``.
    """

    folder: Path
    item: dict[str, Any] = field(repr=False)

    @cached_property
    def assets(self) -> dict[str, Path]:
        """The products' files by name, such as ``heat-airplane`` and ``tiles``."""
        assets = self.item["assets"].items()
        return {name: self.folder / asset["href"].removeprefix("./") for name, asset in assets}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the heat layers: classes, ``top``, ``ship vs harbor``."""
        return tuple(n.removeprefix(_HEAT) for n in self.assets if n.startswith(_HEAT))

    @cached_property
    def classes(self) -> dict[str, Seen]:
        """What the model says of each layer's class, those of most tiles first: ``tiles`` and
        ``highest``, as :meth:`geogaze.Client.classes` tells it of a job.
        """
        return seen_in(self.item)

    def heat(self, layer: str | None = None) -> DataArray:
        """A layer as a DataArray (y, x), or all of them as one (class, y, x), float32.

        From 0 to 1 and NaN where nobody looked, or signed evidence in logits where the job asked
        for ``normalize="none"``. Coordinates are cells' centres in the CRS, or, where the scene is
        rotated, positions of rows and columns. The coordinate ``spatial_ref`` has CRS and transform
        as rioxarray and GDAL look for them; attributes are ``crs``, WKT, and ``transform``, the
        affine's first six numbers.

        Raises:
            UnknownClass: there is no such layer.
            ModuleNotFoundError: xarray is not installed; :meth:`array` needs none.
        """
        names = self.layers if layer is None else (layer,)
        cells = np.stack([self.array(name) for name in names])
        heat = data_array(cells, names, self.transform, "heat", {}, crs=self.crs.to_wkt())
        return heat if layer is None else heat.sel({"class": layer})

    def array(self, layer: str) -> NDArray[np.float32]:
        """The values of :meth:`heat` alone: (rows, cols) float32.

        Raises:
            UnknownClass: there is no such layer.
        """
        with rasterio.open(self._layer(layer)) as dataset:
            heat: NDArray[np.float32] = dataset.read(1)
        return heat

    @property
    def transform(self) -> Affine:
        """From corners of heat cells (col, row) to the CRS."""
        return self._grid[0]

    @property
    def crs(self) -> rasterio.crs.CRS:
        """The CRS of all layers, which is the scene's."""
        return self._grid[1]

    def tiles(self) -> GeoDataFrame:
        """What the model says of each tile: ``row``, ``col``, ``geometry``, ``top_class``, ….

        Probabilities of classes are columns ``p_<class>``.

        Raises:
            LibraryAbsent: geopandas is not installed.
        """
        return self._table("tiles", "A data frame of tiles")

    def hotspots(self) -> GeoDataFrame:
        """Where heat is high: ``class``, ``area_m2``, ``peak``, ``geometry``, ….

        All columns are told in the guide; at the threshold that the job had.

        Raises:
            LibraryAbsent: geopandas is not installed.
        """
        return self._table("hotspots-parquet", "A data frame of hotspots")

    def _table(self, product: str, what: str) -> GeoDataFrame:
        need("geopandas", "tables", what)
        import geopandas

        return geopandas.read_parquet(self.assets[product])

    def explore(
        self,
        layer: str | None = None,
        *,
        beside: Results | None = None,
        height: int = 560,
        port: int = 0,
    ) -> Explored:
        """A map of the layers over the scene, in a notebook: the job's own page in a frame.

        Nothing is fetched but the job's files, which this process serves to this machine alone.

        Args:
            layer: that is shown first; otherwise the one with most to show.
            beside: results of the same scene, whose layers are there to compare with.
            height: of the frame, pixels.
            port: of the server; 0 takes a free one. Where the notebook's kernel runs elsewhere,
                take one that leads there from the browser's machine.

        Raises:
            UnknownClass: there is no such layer.
            InvalidRequest: the port is taken.
        """
        if layer is not None:
            self._layer(layer)
        return Explored(self, beside, layer, height, port)

    def _repr_html_(self) -> str:
        """The contact sheet, for notebooks."""
        picture = base64.b64encode(self.assets["preview"].read_bytes()).decode()
        name = html.escape(str(self.item["properties"]["title"]))
        return (
            f'<figure style="margin:0"><img alt="{name}" style="max-width:100%;border-radius:8px" '
            f'src="data:image/png;base64,{picture}"><figcaption>{name}: '
            f"{html.escape(', '.join(self.layers))}</figcaption></figure>"
        )

    @cached_property
    def _grid(self) -> tuple[Affine, Any]:
        with rasterio.open(self._layer(self.layers[0])) as dataset:
            return dataset.transform, dataset.crs

    def _layer(self, name: str) -> Path:
        if name not in self.layers:
            raise UnknownClass(f"There is no layer {name!r}, but {', '.join(self.layers)}.")
        return self.assets[f"{_HEAT}{name}"]


def open_results(
    source: str | os.PathLike[str] | UUID,
    *,
    api: str | Client | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Results:
    """The products of a finished job.

    Args:
        source: the folder of a run, or, with ``api``, a job's id.
        api: the address of a geogaze API, or a client of it. Products are downloaded.
        folder: where to; otherwise to a temporary folder, which lives as long as the results.

    Raises:
        InvalidRequest: the folder holds no results.
        RemoteRefusal: there is no such job, or it has not come to its end.
        RemoteError: the API failed, or is not there.
    """
    if api is None:
        if folder is not None:
            raise InvalidRequest("folder: for a job's products from an API only; say api= too.")
        return _opened(Path(os.fspath(source) if not isinstance(source, UUID) else str(source)))
    if folder is not None:
        return _downloaded(str(source), api, Path(folder))
    temporary = Path(tempfile.mkdtemp(prefix="geogaze-"))
    try:
        results = _downloaded(str(source), api, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    weakref.finalize(results, shutil.rmtree, temporary, ignore_errors=True)
    return results


def _downloaded(job: str, api: str | Client, folder: Path) -> Results:
    if isinstance(api, Client):
        api.download(job, folder)
    else:
        with Client(api) as client:
            client.download(job, folder)
    return _opened(folder)


def _opened(folder: Path) -> Results:
    if kind_of(folder) is not Kind.RESULTS:
        raise InvalidRequest(
            f"{folder} holds no results: a run's folder has an item.json. For a job of an API, say "
            "its address: api='http://…'."
        )
    return Results(folder, json.loads((folder / "item.json").read_text()))
