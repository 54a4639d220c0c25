"""XML that the service writes, against the OGC's own schemas: WMTS, and what WMTS refuses."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from tests.conformance.conftest import Service

WMTS = "{http://www.opengis.net/wmts/1.0}"
OGC = Path(__file__).parents[1] / "schemas" / "ogc"


def schema(path: str) -> etree.XMLSchema:
    """One of those that lie here; nothing is fetched."""
    return etree.XMLSchema(etree.parse(OGC / path, etree.XMLParser(no_network=True)))


def test_capabilities_of_wmts_are_valid(service: Service, explained: str) -> None:
    of_wmts = schema("wmts/1.0/wmtsGetCapabilities_response.xsd")
    for asked in ("/1.0.0/WMTSCapabilities.xml", "?service=WMTS&request=GetCapabilities"):
        document = etree.fromstring(service.get(f"{explained}/wmts{asked}").content)
        of_wmts.assertValid(document)
    assert document.findall(f".//{WMTS}Layer")
    assert len(document.findall(f".//{WMTS}TileMatrixSet/{WMTS}TileMatrix")) >= 2
    for name in ("Style", "Format", "TopLeftCorner"):
        broken = etree.fromstring(etree.tostring(document))
        found = broken.find(f".//{WMTS}{name}")
        found.getparent().remove(found)
        assert not of_wmts.validate(broken), f"the schema wants {name}"


def test_what_wmts_refuses_is_told_validly(service: Service, explained: str) -> None:
    for asked in ("service=WMTS", "service=WMTS&request=GetTile", "service=WMS&request=GetTile"):
        answer = service.get(f"{explained}/wmts?{asked}")
        assert answer.status_code >= 400
        schema("ows/1.1.0/owsExceptionReport.xsd").assertValid(etree.fromstring(answer.content))
