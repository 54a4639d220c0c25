"""Uploads: scenes that lie with a client, on their way to where jobs find them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import With, base_url, tenant_of
from api.problems import documented
from geogaze.uploads import Upload, UploadNotFound, Uploads

router = APIRouter(prefix="/uploads", tags=["uploads"])

_LINKS = 100  # of parts that are missing, in one document


class Announced(BaseModel):
    """A file to come."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=128, description="of the file, without a path")
    size: int = Field(ge=1, description="in bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the whole file, in hex")


class MissingPart(BaseModel):
    """A part that is missing, and where it is to be PUT."""

    number: int
    start: int = Field(description="its first byte in the file")
    size: int
    href: str


class UploadInfo(BaseModel):
    """How far an upload is."""

    id: UUID
    status: str = Field(description="open, or complete once it was checked")
    name: str
    size: int
    sha256: str
    partSize: int  # noqa: N815  as the other documents word names
    parts: int = Field(description="how many it has")
    received: int = Field(description="how many of them are there")
    missing: list[MissingPart] = Field(description=f"the next of them, {_LINKS} at most")
    expires: datetime
    scene: str | None = Field(
        default=None, description="its address, which jobs take, once it is complete"
    )


def _uploads(services: With) -> Uploads:
    return Uploads(services.settings, services.storage)


def _found(
    upload: str, uploads: Annotated[Uploads, Depends(_uploads)], services: With, request: Request
) -> Upload:
    try:
        upload_id = UUID(upload)
    except ValueError as error:
        raise UploadNotFound(f"There is no upload {upload[:80]!r}.") from error
    return uploads.find(tenant_of(request), upload_id)


All = Annotated[Uploads, Depends(_uploads)]
One = Annotated[Upload, Depends(_found)]


@router.post("", status_code=201, responses=documented(413), response_model_exclude_none=True)
def begin(request: Request, response: Response, announced: Announced, uploads: All) -> UploadInfo:
    """Announce a scene, or polygons as .geojson or .gpkg. The same one again goes on where it was,
    also after a break.

    PUT each part that is ``missing`` to its ``href``, in any order; ask ``GET /uploads/{upload}``
    for further ones and fresh links; then ``POST /uploads/{upload}/complete``.
    """
    upload = uploads.begin(tenant_of(request), **announced.model_dump())
    response.headers["Location"] = f"{base_url(request)}/uploads/{upload.id}"
    return _told(request, uploads, upload)


@router.get("/{upload}", responses=documented(404), response_model_exclude_none=True)
def progress(request: Request, upload: One, uploads: All) -> UploadInfo:
    """How far an upload is, and where the next of its missing parts go."""
    return _told(request, uploads, upload)


@router.put(
    "/{upload}/parts/{number}",
    status_code=204,
    response_class=Response,
    responses=documented(404, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def part(
    request: Request,
    upload: One,
    number: Annotated[int, Path(ge=1, le=10_000)],
    uploads: All,
) -> None:
    """Take a part. A bucket takes them itself, by the links of those that are missing; here they
    may come from who has no way to it. One that comes again replaces itself.
    """
    data = await request.body()
    await run_in_threadpool(uploads.take, upload, number, data)


@router.post("/{upload}/complete", responses=documented(404, 409), response_model_exclude_none=True)
def complete(request: Request, upload: One, uploads: All) -> UploadInfo:
    """Check what has come: its sha256, and that jobs take it. ``scene`` then names it.

    What is refused is gone. Asked again, the answer is the same.
    """
    return _told(request, uploads, uploads.complete(upload))


@router.delete("/{upload}", status_code=204, response_class=Response, responses=documented(404))
def remove(upload: One, uploads: All) -> None:
    """Leave nothing of an upload, complete or not. Jobs that still need it fail."""
    uploads.remove(upload)


def _told(request: Request, uploads: Uploads, upload: Upload) -> UploadInfo:
    there = uploads.received(upload)
    missing = [number for number in range(1, upload.count + 1) if number not in there]
    here = f"{base_url(request)}/uploads/{upload.id}/parts"
    return UploadInfo(
        id=upload.id,
        status="complete" if upload.scene else "open",
        name=upload.name,
        size=upload.size,
        sha256=upload.sha256,
        partSize=upload.part_size,
        parts=upload.count,
        received=len(there),
        missing=[
            MissingPart(
                number=number,
                start=(number - 1) * upload.part_size,
                size=upload.size_of(number),
                href=uploads.address(upload, number) or f"{here}/{number}",
            )
            for number in missing[:_LINKS]
        ],
        expires=datetime.fromtimestamp(upload.expires, UTC),
        scene=upload.scene,
    )
