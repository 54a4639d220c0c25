"""A scene is looked at in a process of its own, within memory and time, before it is taken.

What comes from strangers is decoded there for the first time: whatever it does to its decoder, it
ends that process and not the API. No file can be written in it, and no secret that it does not
need is told to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import structlog

from geogaze.config import Settings
from geogaze.errors import SceneAway, SceneUnreadable
from geogaze.scene.child import AWAY, REFUSED

log = structlog.get_logger()

_NOT_TOLD = {"database_url", "broker_url", "rate_store", "callback_secret"}
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GDAL_NUM_THREADS"), "1"
)
_LAST_WORDS = 2000  # characters


def check_apart(scene: str, settings: Settings) -> None:
    """Refuse what is no scene, or does its decoder harm.

    Raises:
        SceneUnreadable: it is none, or takes more than ``upload_check_mb`` or
            ``upload_check_seconds``, or ends what decodes it.
        SceneAway: the store does not answer.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GEOGAZE_")}
    child = subprocess.Popen(
        [sys.executable, "-m", "geogaze.scene.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, **_ONE_THREAD},
    )
    task = json.dumps({"scene": scene, "settings": _told(settings)}).encode()
    with child:
        try:
            said, cried = child.communicate(task, settings.upload_check_seconds)
        except subprocess.TimeoutExpired as error:
            raise SceneUnreadable(
                f"It takes more than {settings.upload_check_seconds:g} seconds to open "
                "(GEOGAZE_UPLOAD_CHECK_SECONDS)."
            ) from error
        finally:
            child.kill()
    if child.returncode == 0:
        return
    if child.returncode in {REFUSED, AWAY}:
        kind = SceneUnreadable if child.returncode == REFUSED else SceneAway
        raise kind(said.decode(errors="replace"))
    log.error(
        "a scene ended its check",
        scene=scene,
        status=child.returncode,
        said=cried.decode(errors="replace")[-_LAST_WORDS:],
    )
    raise SceneUnreadable(
        "It breaks what decodes it, or takes more memory than "
        f"{settings.upload_check_mb} MB (GEOGAZE_UPLOAD_CHECK_MB)."
    )


def _told(settings: Settings) -> dict[str, Any]:
    told = settings.model_dump(mode="json", exclude=_NOT_TOLD)
    for name in ("s3_access_key", "s3_secret_key"):
        if secret := getattr(settings, name):
            told[name] = secret.get_secret_value()
    return told
