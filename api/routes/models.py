"""The models that jobs may name, and the registry for operators."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import Need, needs
from api.dependencies import With, WithAll, base_url, tenant_of
from api.problems import documented
from geogaze.errors import InvalidRequest, UnknownModel
from geogaze.ledger.needing import check_unused
from geogaze.models.bundles import Bundle
from geogaze.models.packed import SUFFIX, unpack
from geogaze.models.registered import Registry
from geogaze.models.registry import find_bundle, is_taken, list_bundles
from geogaze.models.versions import NoSuchVersion, VersionTaken
from geogaze.storage.reading import open_object
from geogaze.uploads import UploadIncomplete, Uploads

log = structlog.get_logger()

router = APIRouter(prefix="/models", tags=["models"])


class VersionInfo(BaseModel):
    """A version of a registered model. It never changes."""

    version: str
    aliases: list[str] = Field(description="that point at it")
    added: str
    digest: str = Field(description="sha256 of what sha256sum says of its files, by their names")
    sha256: str = Field(description="of its weights")
    bytes: int = Field(description="of its weights")
    architecture: str
    classes: list[str]
    metrics: dict[str, Any] = Field(description="test_accuracy, ece, …, where it was evaluated")


class ModelInfo(BaseModel):
    """A model: the bundle that its name means, and if it is registered its versions, the one that
    was added last at the end, and where its aliases point.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    version: str | None = Field(default=None, description="that the name alone means")
    versions: list[VersionInfo] = []
    aliases: dict[str, str] = {}
    architecture: str
    classes: list[str]


class ModelList(BaseModel):
    """All models that jobs may name, but torchvision's."""

    models: list[ModelInfo]


class Registering(BaseModel):
    """A bundle that was uploaded, and what to call it."""

    model_config = ConfigDict(extra="forbid")

    upload: UUID = Field(description="a complete one of the caller's, a .tar of a bundle")
    name: str = Field(max_length=64)
    version: str | None = Field(
        default=None, max_length=64, description="left out: the next number"
    )
    alias: str | None = Field(default=None, max_length=64, description="to point at it then")


class Pointing(BaseModel):
    """Where an alias is to point."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(max_length=64, description="a version, or an alias that points at one")


def _registry(services: WithAll) -> Registry:
    return Registry.of(services.settings)


Known = Annotated[Registry, Depends(_registry)]


@router.get("", responses=documented(), response_model_exclude_none=True)
def models(services: WithAll, registry: Known) -> ModelList:
    """Models that jobs may name, with their classes."""
    loose = [_loose(bundle) for bundle in list_bundles(services.settings.model_folders)]
    taken = {model.name for model in loose}
    registered = [_registered(registry, name) for name in registry.names() if name not in taken]
    return ModelList(models=[*registered, *loose])


@router.get("/{name}", responses=documented(404), response_model_exclude_none=True)
def model(services: WithAll, registry: Known, name: str) -> ModelInfo:
    """A model, and if it is registered its versions and aliases."""
    try:
        return _registered(registry, name)
    except NoSuchVersion:
        pass
    try:
        return _loose(find_bundle(name, services.settings.model_folders))
    except UnknownModel as error:
        raise NoSuchVersion(str(error)) from error


@router.post(
    "",
    status_code=201,
    responses={**documented(404, 409), 200: {"description": "It was there with the same files"}},
)
@needs(Need.ADMIN)
def register(
    request: Request, response: Response, services: With, registry: Known, asked: Registering
) -> VersionInfo:
    """Register a bundle that was uploaded, as a version that never changes.

    Upload a `.tar` of its `item.json`, `model.safetensors` and, if there is one,
    `evaluation.json`, by `POST /uploads`; it is looked at there, in a process of its own. The
    upload is gone afterwards. The same files again are the same version.
    """
    settings = services.settings
    if is_taken(asked.name, settings):
        raise VersionTaken(
            f"{asked.name!r} is a model that is not registered, and a name means one thing: choose "
            "another."
        )
    uploads = Uploads(settings, services.storage)
    upload = uploads.find(tenant_of(request), asked.upload)
    if not upload.name.lower().endswith(SUFFIX):
        raise InvalidRequest(f"upload: {upload.name!r} is no {SUFFIX} of a bundle.")
    if not upload.scene:
        raise UploadIncomplete(f"Upload {upload.id} is not complete.")
    with (
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="model-") as scratch,
        open_object(services.storage, upload.key) as file,
    ):
        unpack(file, Path(scratch))
        added, new = registry.add(Path(scratch), asked.name, asked.version, asked.alias)
    uploads.remove(upload)
    _put_down("add", added.model, digest=added.digest, alias=asked.alias, new=new)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"{base_url(request)}/models/{added.name}"
    return VersionInfo(**added.told(registry.aliases(added.name)))


@router.put("/{name}/aliases/{alias}", responses=documented(404, 409))
@needs(Need.ADMIN)
def point(registry: Known, name: str, alias: str, asked: Pointing) -> VersionInfo:
    """Let an alias point at a version, wherever it pointed before.

    `default` is what the name alone means. Jobs that were accepted keep their version.
    """
    found = registry.point(name, alias, asked.version)
    _put_down("alias", found.model, alias=alias)
    return VersionInfo(**found.told(registry.aliases(name)))


@router.delete(
    "/{name}/aliases/{alias}", status_code=204, response_class=Response, responses=documented(404)
)
@needs(Need.ADMIN)
def unpoint(registry: Known, name: str, alias: str) -> None:
    """Delete an alias."""
    registry.unpoint(name, alias)
    _put_down("alias --delete", f"{name}@{alias}")


@router.delete(
    "/{name}/versions/{version}",
    status_code=204,
    response_class=Response,
    responses=documented(404, 409),
)
@needs(Need.ADMIN)
def remove(services: WithAll, registry: Known, name: str, version: str) -> None:
    """Remove a version's files. Its name is never given to other files.

    Refused while an alias points at it, or a job that has not ended needs it.
    """
    found = registry.version(f"{name}@{version}")
    if found.version != version:
        raise NoSuchVersion(f"{version!r} is an alias of {name!r}, and no version.")
    check_unused(services.ledger.database, [found.model])
    registry.remove(found)
    _put_down("remove", found.model, digest=found.digest)


def _registered(registry: Registry, name: str) -> ModelInfo:
    """A registered model.

    Raises:
        NoSuchVersion: it is none.
    """
    found = registry.version(name)
    described = _described(registry.description(found))
    return ModelInfo(**{**described, **registry.told(found.name), "version": found.version})


def _loose(bundle: Bundle) -> ModelInfo:
    return ModelInfo(**_described(bundle))


def _described(bundle: Bundle) -> dict[str, Any]:
    return bundle.model_dump(mode="json", exclude={"folder"}, exclude_none=True)


def _put_down(action: str, model: str, **more: Any) -> None:
    """A line of the audit log; who does it stands in the context."""
    told = {name: value for name, value in more.items() if value is not None}
    log.info("audit", channel="audit", action=f"models {action}", model=model, **told)
