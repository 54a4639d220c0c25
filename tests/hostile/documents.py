"""Hostile documents that name a scene's files: VRTs and STAC Items."""

from __future__ import annotations

import json

from tests.hostile.case import Case, raw

DOCUMENTS: tuple[Case, ...] = (
    *(
        Case(
            f"a VRT of {what}",
            "a.vrt",
            raw(
                (
                    "<VRTDataset rasterXSize='64' rasterYSize='64'><SRS>EPSG:32631</SRS>"
                    "<GeoTransform>0,1,0,0,0,-1</GeoTransform>"
                    "<VRTRasterBand dataType='Byte' band='1'><SimpleSource>"
                    f"<SourceFilename relativeToVRT='{relative}'>{source}</SourceFilename>"
                    "<SourceBand>1</SourceBand><SrcRect xOff='0' yOff='0' xSize='64' ySize='64'/>"
                    "<DstRect xOff='0' yOff='0' xSize='64' ySize='64'/>"
                    "</SimpleSource></VRTRasterBand>"
                    "</VRTDataset>"
                ).encode()
            ),
        )
        for what, relative, source in (
            ("the system's passwords", 0, "/etc/passwd"),
            ("a file beside the folder", 1, "../../../canary.tif"),
            ("a host on loopback", 0, "/vsicurl/http://127.0.0.1:1/x.tif"),
            ("a zip on a host", 0, "/vsizip//vsicurl/https://127.0.0.1/x.zip/a.tif"),
            ("what a program prints", 0, "/vsistdin/"),
            ("itself", 1, "a.vrt"),
            ("a database", 0, "PG:dbname=geogaze"),
            ("memory", 0, "MEM:::DATAPOINTER=1,PIXELS=64,LINES=64"),
            ("a text that is a VRT", 0, "&lt;VRTDataset/&gt;"),
        )
    ),
    Case(
        "a VRT of a billion laughs",
        "a.vrt",
        raw(
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'ha'>"
            + b"".join(b"<!ENTITY %c '%s'>" % (99 + i, b"&%c;" % (98 + i) * 10) for i in range(9))
            + b"]><VRTDataset>&k;</VRTDataset>"
        ),
    ),
    Case(
        "a VRT with an entity of a file",
        "a.vrt",
        raw(
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"
            b"<VRTDataset rasterXSize='9' rasterYSize='9'><SRS>&b;</SRS></VRTDataset>"
        ),
    ),
    Case(
        "a VRT that computes",
        "a.vrt",
        raw(
            b"<VRTDataset rasterXSize='9' rasterYSize='9'><VRTRasterBand dataType='Byte' band='1' "
            b"subClass='VRTDerivedRasterBand'><PixelFunctionType>f</PixelFunctionType>"
            b"<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode>import os"
            b"</PixelFunctionCode></VRTRasterBand></VRTDataset>"
        ),
    ),
    Case(
        "a VRT of 100,000 nested elements",
        "a.vrt",
        raw(b"<VRTDataset>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</VRTDataset>"),
    ),
    Case(
        "an Item of a file on this machine",
        "a.json",
        raw(
            json.dumps(
                {
                    "type": "Feature",
                    "stac_version": "1.1.0",
                    "id": "a",
                    "geometry": None,
                    "properties": {},
                    "links": [],
                    "assets": {"a": {"href": "file:///etc/passwd", "roles": ["data"]}},
                }
            ).encode()
        ),
    ),
    Case(
        "an Item of nothing",
        "a.json",
        raw(json.dumps({"type": "FeatureCollection", "features": []}).encode()),
    ),
    Case("an Item nested 100,000 deep", "a.json", raw(b'{"a":' * 100_000)),
    Case("an Item of a number of 10⁵ digits", "a.json", raw(b'{"a":' + b"9" * 100_000 + b"}")),
)
