"""A scene is looked at in a process of its own, within memory and time, before it is taken; where
the operator wants it, one that a job is planned for is described there too.

What comes from strangers is decoded there for the first time: whatever it does to its decoder, it
ends that process and not the API. No file can be written in it, and no secret that it does not
need is told to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import structlog
from pydantic import ValidationError

from geogaze import errors
from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.scene.child import AWAY, KINDS, REFUSED
from geogaze.scene.info import SceneInfo
from geogaze.scene.policy import is_remote
from geogaze.scene.reading import Reading

log = structlog.get_logger()

_NOT_TOLD = {"database_url", "broker_url", "rate_store", "callback_secret"}
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GDAL_NUM_THREADS"), "1"
)
_LAST_WORDS = 2000  # characters
_OF_A_PLAN = 0.8  # of its seconds, so that what is wrong is told before the plan itself is given up


def check_apart(scene: str, settings: Settings) -> None:
    """Refuse what is no scene, or does its decoder harm.

    Raises:
        SceneUnreadable: it is none, or takes more than ``upload_check_mb`` or
            ``upload_check_seconds``, or ends what decodes it.
        SceneAway: the store does not answer.
    """
    megabytes, seconds = settings.upload_check_mb, settings.upload_check_seconds
    try:
        status, said, cried = _child({"scene": scene}, settings, megabytes, seconds)
    except subprocess.TimeoutExpired as error:
        raise SceneUnreadable(
            f"It takes more than {seconds:g} seconds to open (GEOGAZE_UPLOAD_CHECK_SECONDS)."
        ) from error
    if status == 0:
        return
    if status in {REFUSED, AWAY}:
        kind = SceneUnreadable if status == REFUSED else SceneAway
        raise kind(said)
    log.error("a scene ended its check", scene=scene, status=status, said=cried)
    raise SceneUnreadable(
        "It breaks what decodes it, or takes more memory than "
        f"{megabytes} MB (GEOGAZE_UPLOAD_CHECK_MB)."
    )


def facts_apart(
    scenes: Sequence[str],
    reading: Reading,
    settings: Settings,
    band_names: Sequence[str],
    bands: Sequence[int] | None,
    rescale: Sequence[tuple[float, float]] | None,
) -> SceneInfo:
    """Describe a scene, as :meth:`geogaze.scene.reader.SceneReader.facts` does.

    Args:
        scenes: the addresses that are the scene.
        reading: how they are to be read.
        settings: the operator's; its allow-list holds.
        band_names: the model's bands, in order.
        bands: the scene's bands (from 1) for them, or None to choose.
        rescale: (low, high) values, or None to choose.

    Raises:
        SceneUnreadable: also where it takes more than ``plan_apart_mb`` of memory or, lying here,
            most of ``plan_seconds``, or ends what decodes it.
        SceneAway: also where it lies elsewhere and takes more than most of ``plan_seconds``.
        SceneUnusable, SceneUnreachable, SceneReplaced: as ``facts`` raises them.
    """
    asked = {
        "scenes": list(scenes),
        "reading": asdict(reading),
        "band_names": list(band_names),
        "bands": bands,
        "rescale": rescale,
    }
    megabytes, seconds = settings.plan_apart_mb, _OF_A_PLAN * settings.plan_seconds
    named = ", ".join(map(repr, scenes[:3]))
    try:
        status, said, cried = _child({"facts": asked}, settings, megabytes, seconds)
    except subprocess.TimeoutExpired as error:
        late = SceneAway if any(map(is_remote, scenes)) else SceneUnreadable
        raise late(
            f"{named} took more than {seconds:g} seconds to open (GEOGAZE_PLAN_SECONDS). "
            "Name a file that opens sooner, such as a cloud-optimised GeoTIFF, or try again later."
        ) from error
    if status == REFUSED:
        refused = json.loads(said)
        kind = refused["kind"] if refused["kind"] in KINDS else KINDS[0]
        raise getattr(errors, kind)(str(refused["said"]))
    if status == 0:
        try:
            return SceneInfo.model_validate_json(said)
        except ValidationError as error:
            cried = str(error)
    log.error("a scene ended its planning", scenes=list(scenes), status=status, said=cried)
    raise SceneUnreadable(
        f"{named} breaks what decodes it, or takes more memory than {megabytes} MB to open "
        "(GEOGAZE_PLAN_APART_MB). Write it anew, by gdal_translate -of COG, and name that."
    )


def _child(
    task: dict[str, Any], settings: Settings, megabytes: int, seconds: float
) -> tuple[int, str, str]:
    """How a child ended that was given a task, what it said, and its last words.

    Raises:
        subprocess.TimeoutExpired: it took longer than that, and was killed.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GEOGAZE_")}
    child = subprocess.Popen(
        [sys.executable, "-m", "geogaze.scene.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **_ONE_THREAD},
    )
    told = {**task, "settings": _told(settings), "megabytes": megabytes, "seconds": seconds}
    with child:
        try:
            said, cried = child.communicate(json.dumps(told).encode(), seconds)
        finally:
            child.kill()
    last = cried.decode(errors="replace")[-_LAST_WORDS:]
    return child.returncode, said.decode(errors="replace"), last


def _told(settings: Settings) -> dict[str, Any]:
    told = settings.model_dump(mode="json", exclude=_NOT_TOLD)
    for name in ("s3_access_key", "s3_secret_key"):
        if secret := getattr(settings, name):
            told[name] = secret.get_secret_value()
    return told
