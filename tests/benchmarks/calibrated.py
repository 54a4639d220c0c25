"""Is the shipped bundle right, and do its probabilities mean what they say?

On the held-out images of UC Merced, ten to a class. All others were trained by, so the temperature
is found on these, one number by 210 images; its error is told of ten folds, each by the temperature
that the other nine give. With ``--write`` both go into the bundle.

Run: ``python -m tests.benchmarks.calibrated ucmerced/test``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from geogaze.config import Settings
from geogaze.models.bundles import EVALUATION_FILE, Bundle
from geogaze.models.calibration import answers, fitted_temperature, reliability
from geogaze.models.registry import DEFAULT_MODEL, find_bundle
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe
from geogaze.networks.training.answering import Answers, answers_to
from geogaze.networks.training.chips import Chips
from geogaze.networks.training.varying import transforms
from geogaze.scene.chips import Wanted, chip_values

_FOLDS = 10


def answered(bundle: Bundle, folder: Path) -> Answers:
    """What the bundle says of class folders."""
    said = Settings()

    def read(path: Path) -> np.ndarray:
        return chip_values(path, Wanted(bundle.bands), bundle.mean, said)

    _, plain = transforms(bundle.input_size, bundle.mean, bundle.std)
    rows = [
        (path, label)
        for label, name in enumerate(bundle.classes)
        for path in sorted((folder / name).iterdir())
    ]
    recipe = Recipe(task="softmax", workers=0)
    chips = Chips(bundle.classes, rows, read, plain)
    return answers_to(chips, load_model(bundle), recipe, lambda *_: None, "testing")


def measured(found: Answers) -> tuple[float, dict[str, object]]:
    """The temperature of all images, and the calibration of each fold by the others' one."""
    fold = np.arange(len(found.labels)) % _FOLDS  # of every class, as images lie class by class
    sure, right = np.zeros(len(fold)), np.zeros(len(fold), bool)
    for one in range(_FOLDS):
        there, others = fold == one, fold != one
        temperature = fitted_temperature(found.logits[others], found.labels[others], found.rule)
        sure[there], right[there] = answers(
            found.logits[there], found.labels[there], found.rule, temperature
        )
    error, curve = reliability(sure, right)
    before = found.calibrated(1.0)["ece"]
    whole = fitted_temperature(found.logits, found.labels, found.rule)
    told = {"by": "ten folds of the test images", "temperature": whole, "ece": error}
    return whole, {**told, "ece_before": before, "curve": curve}


def write(bundle: Bundle, found: Answers, temperature: float, calibrated: object) -> None:
    """Put them beside the weights, which stay as they are."""
    assert bundle.folder is not None
    evaluation = bundle.folder / EVALUATION_FILE
    said = json.loads(evaluation.read_text())
    said |= {"recall": found.recall(bundle.classes), "calibration": calibrated}
    evaluation.write_text(json.dumps(said, indent=1) + "\n")
    item = json.loads((bundle.folder / "item.json").read_text())
    item["properties"]["geogaze:temperature"] = temperature
    item["properties"]["geogaze:ece"] = calibrated["ece"]  # type: ignore[index]
    (bundle.folder / "item.json").write_text(json.dumps(item, indent=2) + "\n")


def main() -> None:
    """Measure, and say so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path, help="class folders that were not trained by")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--write", action="store_true", help="into the bundle")
    asked = parser.parse_args()
    bundle = find_bundle(asked.model, allow_path=True)
    found = answered(bundle, asked.images)
    temperature, calibrated = measured(found)
    if asked.write:
        write(bundle, found, temperature, calibrated)
    del calibrated["curve"]
    print(json.dumps({"accuracy": found.accuracy, "images": len(found.labels), **calibrated}))


if __name__ == "__main__":
    main()
