"""A job at work as a map shows it: what of its heat there is, before it has products."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from affine import Affine
from fastapi import APIRouter, Request, Response

from api.dependencies import JobId, base_url, unchanged
from api.problems import documented
from api.so_far import OneSoFar
from api.written import Negotiated
from geogaze.errors import ObjectNotFound

router = APIRouter(prefix="/jobs/{job}/so-far", tags=["jobs"], route_class=Negotiated)

_GROWS = "private, no-cache"


@router.get("", responses=documented(404, 410))
def so_far(request: Request, response: Response, job_id: JobId, heat: OneSoFar) -> dict[str, Any]:
    """How much of a job's heat there is to see by now, and where pictures of it are.

    `tiles` are in the pictures, of `of`; where `left` is not 0 more units are done, and whoever
    asks again at once is told of them too. Pictures cover `rows` × `cols` steps from tile to tile,
    those of heat begin `off` steps further right and down; the job covers `width` × `height`.
    `transform` leads from steps (col, row) to the scene's CRS, `step` is the side of one in metres.
    `peak` is a layer's highest heat so far, in logits; `colours` lead there from none.
    """
    response.headers["Cache-Control"] = _GROWS
    plan, base = heat.plan, f"{base_url(request)}/jobs/{job_id}/so-far"
    step, (rows, cols) = plan.tiling.step, heat.shape
    return {
        "tiles": heat.tiles,
        "of": plan.tiles,
        "left": heat.left,
        "rows": rows,
        "cols": cols,
        "off": heat.off,
        "width": plan.lattice.cols / step,
        "height": plan.lattice.rows / step,
        "transform": list(plan.heat_transform @ Affine.scale(step))[:6],
        "step": plan.cell_metres * step,
        "colours": [f"rgb({s.red} {s.green} {s.blue} / {s.alpha / 255:.2f})" for s in heat.colours],
        "scene": f"{base}/scene.jpg",
        "layers": [
            {"name": name, "peak": peak, "href": f"{base}/heat/{quote(name, safe='')}.png"}
            for name, peak in zip(plan.layers, heat.peaks.tolist(), strict=True)
        ],
    }


_PICTURE: dict[int | str, dict[str, Any]] = {
    304: {"description": "The same as before."},
    **documented(404, 410),
}


@router.get(
    "/scene.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "A JPEG."}, **_PICTURE},
)
def scene(request: Request, job_id: JobId, heat: OneSoFar) -> Response:
    """The scene where tiles are explained; grey elsewhere."""
    return _picture(request, f"{job_id} scene {heat.tiles}", heat.scene, "image/jpeg")


@router.get(
    "/heat/{layer:path}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG."}, **_PICTURE},
)
def layer(request: Request, job_id: JobId, layer: str, heat: OneSoFar) -> Response:
    """A layer's heat, clear where there is none yet."""
    if layer not in heat.plan.layers:
        names = ", ".join(heat.plan.layers)
        raise ObjectNotFound(f"Job {job_id} has no layer {layer[:80]!r}; it has {names}.")
    number = heat.plan.layers.index(layer)
    tag = f"{job_id} {layer} {heat.tiles}"
    return _picture(request, tag, lambda: heat.heat(number), "image/png")


def _picture(request: Request, named: str, draw: Callable[[], bytes], kind: str) -> Response:
    tag = f'"{hashlib.sha256(named.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _GROWS}
    if unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(draw(), media_type=kind, headers=headers)
