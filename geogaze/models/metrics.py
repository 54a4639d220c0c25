"""How right a bundle was on images that it had not seen, as its ``evaluation.json`` says."""

from __future__ import annotations

import json
from typing import Any

import structlog

from geogaze.models.bundles import EVALUATION_FILE, Bundle

log = structlog.get_logger()


def known_metrics(bundle: Bundle) -> dict[str, Any]:
    """``test_accuracy``, ``test_images``, ``recall`` of each class, ``ece``, the expected
    calibration error of probabilities as they are given, and ``calibrated_by``, the images that
    their temperature was found by. What the bundle's evaluation says of these; shares are 0..1.

    Empty where nobody has evaluated. What cannot be read is logged.
    """
    path = bundle.folder / EVALUATION_FILE if bundle.folder else None
    if path is None or not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text())
        found = {
            "test_accuracy": said["accuracy"],
            "test_images": said["images"]["test"],
            "recall": said.get("recall"),
            "ece": said.get("calibration", {}).get("ece"),
            "calibrated_by": said.get("calibration", {}).get("by"),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("evaluation not read", file=str(path), error=repr(error))
        return {}
    return {name: value for name, value in found.items() if value is not None}
