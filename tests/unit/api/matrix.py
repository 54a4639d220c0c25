"""What each route of the API answers to whom: the table that the tenancy matrix is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ADMITTED = ("read-only", "own", "admin")
STRANGERS = ("no key", "wrong", "expired", "revoked")
CALLERS = (*STRANGERS, "other tenant's", *ADMITTED)


@dataclass(frozen=True)
class Expected:
    """What a route needs, and how it is asked.

    Attributes:
        needs: ``nothing``, ``read``, ``submit`` or ``admin``.
        path: its template with ``{job}`` left in and everything else filled in.
        owned: whether it is of one tenant's own thing, which others must not find.
        status: of whoever may.
        json: the body.
        headers: besides those of the caller.
    """

    needs: str
    path: str
    owned: bool = False
    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def of(self, caller: str) -> int:
        """The status that a caller must get."""
        if self.needs == "nothing":
            return self.status
        if caller in STRANGERS:
            return 401
        may = {"read-only": {"read"}, "own": {"read", "submit"}, "admin": {"admin"}}
        if self.needs not in may.get(caller, {"read", "submit"}):
            return 403
        if caller == "other tenant's" and self.owned:
            return 404
        return self.status


def _job(needs: str, rest: str = "", **more: Any) -> Expected:
    return Expected(needs, f"/jobs/{{job}}{rest}", owned=True, **more)


_HTML = {"Accept": "text/html"}
_ECHO = {"inputs": {"string": "hello"}}
_LAYER = "/layers/heat-boat"
_FEATURES = "/features/collections/hotspots"

REGISTERED = {"upload": "00000000-0000-0000-0000-000000000000", "name": "aerial"}
ANNOUNCED = {"name": "port.tif", "size": 1000, "sha256": "0" * 64}

EXPECTED: dict[str, Expected] = {
    # for anybody: what is nobody's own
    "GET / (pages)": Expected("nothing", "/", headers=_HTML),
    "GET /jobs/{job} (pages)": Expected("nothing", "/jobs/{job}", headers=_HTML),
    "GET /": Expected("nothing", "/"),
    "GET /conformance": Expected("nothing", "/conformance"),
    "GET /health": Expected("nothing", "/health"),
    "GET /livez": Expected("nothing", "/livez"),
    "GET /version": Expected("nothing", "/version"),
    "GET /readyz": Expected("nothing", "/readyz"),
    "GET /processes": Expected("nothing", "/processes"),
    "GET /processes/{process}": Expected("nothing", "/processes/echo"),
    "GET /openapi.json": Expected("nothing", "/openapi.json"),
    "GET /openapi-3.0.json": Expected("nothing", "/openapi-3.0.json"),
    "GET /docs": Expected("nothing", "/docs"),
    "MOUNT /docs/ui": Expected("nothing", "/docs/ui/swagger-ui.css"),
    "MOUNT /page/shared": Expected("nothing", "/page/shared/look.css"),
    "MOUNT /page/libraries": Expected("nothing", "/page/libraries/ol.js"),
    "MOUNT /page": Expected("nothing", "/page/main.js"),
    "DELETE /session": Expected("nothing", "/session", status=204),
    "GET /tileMatrixSets": Expected("nothing", "/tileMatrixSets"),
    "GET /tileMatrixSets/{tileMatrixSet}": Expected("nothing", "/tileMatrixSets/WebMercatorQuad"),
    # for callers
    "GET /session": Expected("read", "/session"),
    "POST /session": Expected("read", "/session", status=204),
    "GET /models": Expected("read", "/models"),
    "GET /models/{name}": Expected("read", "/models/tiny"),
    "POST /processes/{process}/execution": Expected(
        "submit",
        "/processes/echo/execution",
        status=201,
        json=_ECHO,
        headers={"Prefer": "respond-async"},
    ),
    "POST /processes/{process}/quote": Expected(
        "read", "/processes/explain/quote", status=400, json={"inputs": {}}
    ),
    "GET /jobs": Expected("read", "/jobs"),
    "GET /jobs/{job}": _job("read"),
    "DELETE /jobs/{job}": _job("submit"),
    "GET /jobs/{job}/inputs": _job("read", "/inputs"),
    "POST /jobs/{job}/retry": _job("submit", "/retry", status=409),
    "GET /jobs/{job}/events": _job("read", "/events"),
    "GET /jobs/{job}/so-far": _job("read", "/so-far", status=410),
    "GET /jobs/{job}/so-far/scene.jpg": _job("read", "/so-far/scene.jpg", status=410),
    "GET /jobs/{job}/so-far/heat/{layer:path}.png": _job(
        "read", "/so-far/heat/boat.png", status=410
    ),
    "GET /jobs/{job}/results": _job("read", "/results"),
    "GET /jobs/{job}/results/{output:path}": _job("read", "/results/heat-boat"),
    "GET /jobs/{job}/preview": _job("read", "/preview"),
    "GET /jobs/{job}/skipped": _job("read", "/skipped"),
    "GET /jobs/{job}/assets/{file:path}": _job("read", "/assets/heat-boat.tif"),
    "GET /jobs/{job}/prov": _job("read", "/prov"),
    "GET /jobs/{job}/layers": _job("read", "/layers"),
    "GET /jobs/{job}/layers/{layer:path}/tilejson.json": _job("read", f"{_LAYER}/tilejson.json"),
    "GET /jobs/{job}/layers/{layer:path}/tiles/WebMercatorQuad/{z}/{x}/{y}.png": _job(
        "read", f"{_LAYER}/tiles/WebMercatorQuad/0/0/0.png"
    ),
    "GET /jobs/{job}/layers/{layer:path}/legend.png": _job("read", f"{_LAYER}/legend.png"),
    "GET /jobs/{job}/layers/{layer:path}/point/{lon},{lat}": _job("read", f"{_LAYER}/point/2,51"),
    "GET /jobs/{job}/layers/{layer:path}/statistics": _job("read", f"{_LAYER}/statistics"),
    "POST /jobs/{job}/layers/{layer:path}/statistics": _job(
        "read",
        f"{_LAYER}/statistics",
        json={"type": "Polygon", "coordinates": [[[2, 51], [3, 51], [3, 52], [2, 51]]]},
    ),
    "GET /jobs/{job}/layers/{layer:path}": _job("read", _LAYER),
    "GET /jobs/{job}/layers/{layer:path}/map/tiles": _job("read", f"{_LAYER}/map/tiles"),
    "GET /jobs/{job}/layers/{layer:path}/map/tiles/{tileMatrixSet}": _job(
        "read", f"{_LAYER}/map/tiles/WebMercatorQuad"
    ),
    "GET /jobs/{job}/layers/{layer:path}/map/tiles/{tileMatrixSet}/{tileMatrix}/{tileRow}/"
    "{tileCol}": _job("read", f"{_LAYER}/map/tiles/WebMercatorQuad/0/0/0"),
    "GET /jobs/{job}/layers/{layer:path}/tileMatrixSets/SceneGrid": _job(
        "read", f"{_LAYER}/tileMatrixSets/SceneGrid", status=404
    ),
    "GET /jobs/{job}/wmts": _job("read", "/wmts?service=WMTS&request=GetCapabilities"),
    "GET /jobs/{job}/wmts/1.0.0/WMTSCapabilities.xml": _job(
        "read", "/wmts/1.0.0/WMTSCapabilities.xml"
    ),
    "GET /jobs/{job}/features": _job("read", "/features"),
    "GET /jobs/{job}/features/api": _job("read", "/features/api"),
    "GET /jobs/{job}/features/conformance": _job("read", "/features/conformance"),
    "GET /jobs/{job}/features/collections": _job("read", "/features/collections"),
    "GET /jobs/{job}/features/collections/{collection}": _job("read", _FEATURES),
    "GET /jobs/{job}/features/collections/{collection}/queryables": _job(
        "read", f"{_FEATURES}/queryables"
    ),
    "GET /jobs/{job}/features/collections/{collection}/items": _job("read", f"{_FEATURES}/items"),
    "GET /jobs/{job}/features/collections/{collection}/items/{feature}": _job(
        "read", f"{_FEATURES}/items/1"
    ),
    "GET /collections": Expected("read", "/collections"),
    "GET /collections/{collection}": Expected("read", "/collections/explain"),
    "GET /collections/{collection}/items": Expected("read", "/collections/explain/items"),
    "GET /collections/{collection}/items/{item}": Expected(
        "read", "/collections/explain/items/{job}", owned=True
    ),
    "GET /collections/{collection}/queryables": Expected("read", "/collections/explain/queryables"),
    "GET /queryables": Expected("read", "/queryables"),
    "GET /search": Expected("read", "/search"),
    "POST /search": Expected("read", "/search", json={}),
    "POST /uploads": Expected("submit", "/uploads", status=201, json=ANNOUNCED),
    "GET /uploads/{upload}": Expected("read", "/uploads/{upload}", owned=True),
    "PUT /uploads/{upload}/parts/{number}": Expected(
        "submit", "/uploads/{upload}/parts/1", owned=True, status=400, json={}
    ),
    "POST /uploads/{upload}/complete": Expected(
        "submit", "/uploads/{upload}/complete", owned=True, status=409
    ),
    "DELETE /uploads/{upload}": Expected("submit", "/uploads/{upload}", owned=True, status=204),
    # for operators
    "GET /metrics": Expected("admin", "/metrics"),
    "GET /workers": Expected("admin", "/workers"),
    "POST /models": Expected("admin", "/models", status=404, json=REGISTERED),
    "PUT /models/{name}/aliases/{alias}": Expected(
        "admin", "/models/aerial/aliases/production", status=404, json={"version": "1"}
    ),
    "DELETE /models/{name}/aliases/{alias}": Expected(
        "admin", "/models/aerial/aliases/production", status=404
    ),
    "DELETE /models/{name}/versions/{version}": Expected(
        "admin", "/models/aerial/versions/1", status=404
    ),
}
"""By method and template, as :func:`routes_of` names them. A new route needs a line here."""
