"""What a job's WMTS has, as the standard's XML (OGC 07-057r7)."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import pyproj

from api.layers import Layer
from geogaze.gis.grids import SIDE, WEB, Grid, grids_of, in_order
from geogaze.gis.lattice import Bounds, Lattice
from geogaze.gis.tiles import RAMP, Shown

_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">
<ows:ServiceIdentification>
 <ows:Title>{title}</ows:Title>
 <ows:ServiceType>OGC WMTS</ows:ServiceType>
 <ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion>
</ows:ServiceIdentification>
<ows:OperationsMetadata>{operations}
</ows:OperationsMetadata>
<Contents>{layers}{sets}
</Contents>
<ServiceMetadataURL xlink:href={rest}/>
</Capabilities>
"""
_OPERATION = """
 <ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={where}>
  <ows:Constraint name="GetEncoding">
   <ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>
  </ows:Constraint>
 </ows:Get></ows:HTTP></ows:DCP></ows:Operation>"""
_LAYER = """
<Layer>
 <ows:Title>{title}</ows:Title>
 {degrees}
 <ows:Identifier>{name}</ows:Identifier>{boxes}
 <Style isDefault="true">
  <ows:Title>{colours}</ows:Title>
  <ows:Identifier>{style}</ows:Identifier>
  <LegendURL format="image/png" width="{width}" height="{height}" xlink:href={legend}/>
 </Style>
 <Format>image/png</Format>{formats}{links}
 <ResourceURL format="image/png" resourceType="tile" template={tiles}/>
</Layer>"""
_SET = """
<TileMatrixSet>
 <ows:Title>{title}</ows:Title>
 <ows:Identifier>{name}</ows:Identifier>
 <ows:SupportedCRS>{crs}</ows:SupportedCRS>{known}{matrices}
</TileMatrixSet>"""
_KNOWN = """
 <WellKnownScaleSet>urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible</WellKnownScaleSet>"""
_MATRIX = """
 <TileMatrix>
  <ows:Identifier>{id}</ows:Identifier>
  <ScaleDenominator>{scale!r}</ScaleDenominator>
  <TopLeftCorner>{corner}</TopLeftCorner>
  <TileWidth>{side}</TileWidth><TileHeight>{side}</TileHeight>
  <MatrixWidth>{cols}</MatrixWidth><MatrixHeight>{rows}</MatrixHeight>
 </TileMatrix>"""

OPERATIONS = ("GetCapabilities", "GetTile", "GetFeatureInfo")
STYLE = "default"
INFO = ("application/json", "text/plain")
"""Media types of values."""


def capabilities(layers: Sequence[Layer], shown: Shown, base: str) -> str:
    """What a job has.

    Args:
        layers: those with tiles, at least one.
        shown: one of them, decoded: all of a job lie on one lattice.
        base: the API's address.
    """
    job = f"{base}/jobs/{layers[0].job_id}"
    grids = grids_of(shown)
    extent = _extent(shown.lattice, grids)
    return _DOCUMENT.format(
        title=f"geogaze job {layers[0].job_id}",
        operations="".join(
            _OPERATION.format(name=name, where=quoteattr(f"{job}/wmts?")) for name in OPERATIONS
        ),
        layers="".join(_layer(layer, extent, list(grids), base) for layer in layers),
        sets="".join(_set(grid) for grid in grids.values()),
        rest=quoteattr(f"{job}/wmts/1.0.0/WMTSCapabilities.xml"),
    )


def _layer(layer: Layer, extent: Sequence[str], grids: Sequence[str], base: str) -> str:
    address = layer.address(base)
    tiles = "/map/tiles/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}"
    return _LAYER.format(
        title=escape(layer.title),
        degrees=extent[0],
        boxes="".join(f"\n {box}" for box in extent[1:]),
        name=escape(layer.name),
        colours=escape(layer.render["colormap_name"]),
        style=STYLE,
        width=RAMP[0],
        height=RAMP[1],
        legend=quoteattr(f"{address}/legend.png"),
        formats="".join(f"\n <InfoFormat>{kind}</InfoFormat>" for kind in INFO),
        links="".join(
            f"\n <TileMatrixSetLink><TileMatrixSet>{name}</TileMatrixSet></TileMatrixSetLink>"
            for name in grids
        ),
        tiles=quoteattr(f"{address}{tiles}"),
    )


def _extent(lattice: Lattice, grids: dict[str, Grid]) -> list[str]:
    """What all layers cover: in degrees, and in the CRS of each grid, whose readers need not
    compute it then.
    """
    west, south, east, north = lattice.degrees
    boxes = [_box("ows:WGS84BoundingBox", (west, south), (east, north))]
    for name, grid in grids.items():
        bounds: Bounds = lattice.reach if name == WEB else lattice.corners
        crs = str(grid.document.crs.root)
        low, high = (in_order(pyproj.CRS(crs), *bounds[at : at + 2]) for at in (0, 2))
        boxes.append(_box(f'ows:BoundingBox crs="{_urn(crs)}"', low, high))
    return boxes


def _box(tag: str, low: tuple[float, float], high: tuple[float, float]) -> str:
    corners = (
        f"<ows:{name}>{_place(at)}</ows:{name}>"
        for name, at in (("LowerCorner", low), ("UpperCorner", high))
    )
    return f"<{tag}>{''.join(corners)}</{tag.partition(' ')[0]}>"


def _set(grid: Grid) -> str:
    """A grid's tile matrix set: of the world's only scales that show something new, as readers
    without a map go by the last one.
    """
    document = grid.document
    web = document.id == WEB
    matrices = document.tileMatrices
    return _SET.format(
        title=escape(document.title or ""),
        name=document.id,
        crs=_urn(str(document.crs.root)),
        known=_KNOWN if web else "",
        matrices="".join(
            _MATRIX.format(
                id=matrix.id,
                scale=matrix.scaleDenominator,
                corner=_place(matrix.pointOfOrigin),
                side=SIDE,
                cols=matrix.matrixWidth,
                rows=matrix.matrixHeight,
            )
            for matrix in (matrices[: grid.shown.max_zoom + 1] if web else matrices)
        ),
    )


def _place(place: tuple[float, float]) -> str:
    return " ".join(repr(float(part)) for part in place)


def _urn(crs: str) -> str:
    """A CRS by the kind of name that this standard's clients read."""
    return f"urn:ogc:def:crs:EPSG::{crs.rpartition('/')[2]}"
