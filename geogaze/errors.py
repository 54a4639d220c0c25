"""Every error geogaze raises on purpose: what was wrong, with what value, what to do.

Each class knows its HTTP status, what may help, and the slug of its problem type (RFC 7807).
Messages are written for the person who made the request.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Kinds of errors by what may help; what is done, :mod:`geogaze.ledger.retries` says."""

    NEVER = "never"  # it would fail again
    ELSEWHERE = "elsewhere"  # another worker, or this one later, may do it
    OUTAGE = "outage"  # a service or a device is away: the work has no part in it
    SOURCE_AWAY = "source away"  # so is where the scene lies: all units of the job would fail
    SUSPECT = "suspect"  # chance, or one of the items that were being worked on
    BROKE = "broke"  # most likely one of the items
    TOO_MUCH = "too much"  # half of it may fit


class GeogazeError(Exception):
    """Base of all expected errors."""

    status: ClassVar[int] = 500
    retry: ClassVar[Retry] = Retry.NEVER
    ends_process: ClassVar[bool] = False
    """Whether the process that met it must take no other unit: another process may do them all."""
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "geogaze could not go on"


class InvalidRequest(GeogazeError):
    """A parameter is out of its range or does not fit the others."""

    status = 400
    slug = "invalid-request"
    title = "The request is not valid"


class UnknownClass(InvalidRequest):
    """A class name is not one of the model's."""

    slug = "unknown-class"
    title = "The model has no such class"


class UnknownModel(InvalidRequest):
    """A model name matches no bundle and no torchvision architecture."""

    slug = "unknown-model"
    title = "There is no such model"


class InvalidBundle(InvalidRequest):
    """A bundle folder is incomplete, inconsistent, or its weights are not what they claim."""

    slug = "invalid-bundle"
    title = "The model bundle cannot be used"


class WeightsUnavailable(GeogazeError):
    """Published weights are neither on disk nor reachable."""

    status = 409
    slug = "weights-unavailable"
    title = "The model's weights are not on this machine"


class UnsupportedArchitecture(InvalidRequest):
    """No exact Grad-CAM is known for this network."""

    slug = "unsupported-architecture"
    title = "The architecture is not supported"


class OutOfMemory(GeogazeError):
    """The device has no room for a single tile; another worker may have."""

    status = 503
    retry = Retry.ELSEWHERE
    slug = "out-of-memory"
    title = "The device has too little memory"


class DeviceBroke(GeogazeError):
    """A worker's device fails whatever it is given; no tile is to blame, other workers are well."""

    status = 503
    retry = Retry.OUTAGE
    ends_process = True
    slug = "device-broke"
    title = "A worker's device failed"


class DeviceAbsent(DeviceBroke):
    """A process was told to use a device, or a runtime, that this machine does not have."""

    status = 400
    slug = "device-absent"
    title = "There is no such device, runtime or library"


class HostOutOfMemory(GeogazeError):
    """A worker's memory does not hold this much work at once; half of it may fit."""

    status = 503
    retry = Retry.TOO_MUCH
    slug = "host-out-of-memory"
    title = "A worker has too little memory"


class SceneUnreadable(InvalidRequest):
    """The scene is missing, not a GeoTIFF, damaged, or not allowed as a source."""

    slug = "scene-unreadable"
    title = "The scene cannot be read"


class SceneUnreachable(GeogazeError):
    """A remote scene could not be read; trying again may help."""

    status = 503
    retry = Retry.SUSPECT
    slug = "scene-unreachable"
    title = "The scene could not be fetched"


class SceneAway(SceneUnreachable):
    """The host or store of a remote scene did not even let it be opened; no tile is to blame."""

    retry = Retry.SOURCE_AWAY


class SceneReplaced(GeogazeError):
    """The scene is not the one any more that the job was accepted for."""

    status = 409
    slug = "scene-replaced"
    title = "The scene was replaced"


class SceneUnusable(InvalidRequest):
    """The scene opens but has no CRS, no pixels, complex values or the wrong bands."""

    slug = "scene-unusable"
    title = "The scene cannot be explained"


class AoiOutsideScene(InvalidRequest):
    """The area of interest is malformed or does not touch the scene."""

    slug = "aoi-outside-scene"
    title = "The area of interest does not fit the scene"


class JobNotFound(GeogazeError):
    """No job has this id."""

    status = 404
    slug = "no-such-job"
    title = "There is no such job"


class ProcessNotFound(GeogazeError):
    """No process has this id."""

    status = 404
    slug = "no-such-process"
    title = "There is no such process"


class NoQuote(GeogazeError):
    """A process cannot tell what a job of it takes."""

    status = 404
    slug = "no-quote"
    title = "There is no quote for this process"


class ResultNotReady(GeogazeError):
    """Results were asked for before the job ended."""

    status = 404
    slug = "result-not-ready"
    title = "The job has not finished yet"


class JobFailed(GeogazeError):
    """Results were asked for of a job that failed."""

    status = 500
    slug = "job-failed"
    title = "The job has no results"


class ResultsGone(GeogazeError):
    """Results were asked for of a job that was dismissed."""

    status = 410
    slug = "results-gone"
    title = "The job was dismissed"


class ObjectNotFound(GeogazeError):
    """An object is not in storage. ``key`` says which, where that is known."""

    status = 404
    slug = "no-such-object"
    title = "There is no such object"
    key: str = ""


class StorageUnavailable(GeogazeError):
    """Object storage did not answer; trying again may help."""

    status = 503
    retry = Retry.OUTAGE
    slug = "storage-unavailable"
    title = "Object storage is not available"


class DatabaseUnavailable(GeogazeError):
    """The database did not answer; trying again may help."""

    status = 503
    retry = Retry.OUTAGE
    slug = "database-unavailable"
    title = "The database does not answer"


class ScratchUnusable(GeogazeError):
    """A worker's disk is full or broken; another worker's may not be."""

    status = 503
    retry = Retry.ELSEWHERE
    slug = "scratch-unusable"
    title = "A worker's scratch disk cannot be used"


class ReleaseDiffers(GeogazeError):
    """A worker of another release does not know what a job asks for; others may."""

    retry = Retry.OUTAGE
    slug = "release-differs"
    title = "A worker is of another release"


class UnitBroke(GeogazeError):
    """Work ended in an error that nobody expected; its tiles may be the cause."""

    retry = Retry.BROKE
    slug = "unit-broke"
    title = "A piece of the work broke"


class WorkerLost(UnitBroke):
    """A worker vanished with a unit in hand: killed, crashed, or cut off."""

    retry = Retry.SUSPECT
    slug = "worker-lost"
    title = "A worker vanished"


class IdempotencyKeyReused(GeogazeError):
    """An idempotency key came a second time, with another request."""

    status = 422
    slug = "idempotency-key-reused"
    title = "The idempotency key stands for another request"


class StaleClaim(GeogazeError):
    """A unit's lease was lost: another worker holds it, or its job was dismissed."""

    status = 409
    slug = "stale-claim"
    title = "The unit belongs to somebody else now"


class IllegalTransition(GeogazeError):
    """A state machine was asked for a step that it does not have."""

    status = 409
    slug = "illegal-transition"
    title = "The job cannot do this in its state"


class Interrupted(GeogazeError):
    """The person at the terminal pressed Ctrl-C."""

    slug = "interrupted"
    title = "Interrupted"


class RemoteError(GeogazeError):
    """The API failed, or is not there."""

    status = 502
    slug = "remote-error"
    title = "The geogaze API failed"


class NoAnswer(RemoteError):
    """The API was asked, and no answer came: whether it did what was asked, nobody knows."""

    slug = "no-answer"
    title = "The geogaze API did not answer"


class RemoteRefusal(RemoteError):
    """The API answered that the request was wrong."""

    status = 400
    slug = "remote-refusal"
    title = "The geogaze API refused"
