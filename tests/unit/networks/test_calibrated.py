"""What training finds out of itself: temperature, recall, calibration, data, curves."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geogaze.models.bundles import Bundle
from geogaze.models.calibration import calibration, fitted_temperature
from geogaze.models.item import read_bundle
from geogaze.networks.loading import load_model
from geogaze.networks.training import train
from geogaze.networks.training.events import EVENTS_FILE, Events
from tests.unit.networks.drawn_chips import RECIPE, draw, drawn_net, quiet, read  # noqa: F401

pytestmark = pytest.mark.usefixtures("drawn_net")

LEVELS = {"bright": 150, "dark": 100}
WRITTEN = (
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c1b000000000000"
    "001a0d9e1309000000000000f83f10ac022a0d0a0b0a046c6f7373150000803e9908deed"
)
CALIBRATED = replace(RECIPE, epochs=3, gsd=0.5)


def data_in(folder: Path) -> Path:
    """Levels that overlap, so that no network can be sure."""
    for part, count in {"train": 12, "validation": 15, "test": 20}.items():
        draw(folder / part, LEVELS, count, noise=25)
    return folder


def answered(bundle: Bundle, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a part, by hand."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (bundle.mean, bundle.std))
    images, labels = [], []
    for label, name in enumerate(bundle.classes):
        for path in sorted((folder / name).iterdir()):
            values = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) / 255
            images.append((values - mean) / std)
            labels.append(label)
    return load_model(bundle)(torch.stack(images)).numpy(), np.array(labels)


def test_the_bundle_says_how_good_it_is(tmp_path: Path) -> None:
    data = data_in(tmp_path / "data")
    train(data, tmp_path / "mine", CALIBRATED, quiet, read=read, clock=lambda: 5.0)
    bundle = read_bundle(tmp_path / "mine")
    evaluation = json.loads((tmp_path / "mine" / "evaluation.json").read_text())
    assert evaluation["images"] == {"train": 24, "validation": 30, "test": 40}

    # The temperature is of what was held out, and never of what is tested by.
    logits, labels = answered(bundle, data / "validation")
    assert bundle.temperature == pytest.approx(
        fitted_temperature(logits, labels, "softmax"), rel=1e-4
    )
    logits, labels = answered(bundle, data / "test")
    found = evaluation["calibration"]
    assert (found["by"], found["temperature"]) == ("validation", bundle.temperature)
    for key, temperature in {"ece": bundle.temperature, "ece_before": 1.0}.items():
        error, _ = calibration(logits, labels, "softmax", temperature)
        assert found[key] == pytest.approx(error, abs=1e-5)
    assert sum(bar["answers"] for bar in found["curve"]) == 40
    best = logits.argmax(axis=1)
    assert evaluation["recall"] == {
        name: pytest.approx((best == label)[labels == label].mean())
        for label, name in enumerate(bundle.classes)
    }
    item = json.loads((tmp_path / "mine" / "item.json").read_text())
    assert item["properties"]["geogaze:ece"] == found["ece"]

    history = evaluation["history"]
    phases = ["warming up", "training", "training", "training"]
    assert [(row["number"], row["phase"]) for row in history] == list(enumerate(phases, start=1))
    assert steps_in(tmp_path / "mine" / EVENTS_FILE) == [0, 1, 2, 3, 4]
    picture = Image.open(io.BytesIO((tmp_path / "mine" / "curves.png").read_bytes()))
    assert len(set(picture.convert("L").resize((60, 30)).tobytes())) > 20  # something is drawn
    assert not list(tmp_path.glob(".mine*"))


def test_data_that_differ_have_another_fingerprint(tmp_path: Path) -> None:
    data = data_in(tmp_path / "data")
    untrained = replace(RECIPE, epochs=0, warm_up_epochs=0)

    def fingerprint(name: str) -> str:
        train(data, tmp_path / name, untrained, quiet, read=read)
        said = json.loads((tmp_path / name / "evaluation.json").read_text())
        return str(said["data"]["sha256"])

    first = fingerprint("first")
    assert fingerprint("again") == first
    (data / "train" / "dark" / "0.png").rename(data / "train" / "bright" / "other.png")
    assert fingerprint("relabelled") != first


def test_without_images_held_out_probabilities_stay_as_they_are(tmp_path: Path) -> None:
    data = draw(tmp_path / "data", LEVELS)
    untrained = replace(RECIPE, epochs=0, warm_up_epochs=0)
    bundle, _ = train(data, tmp_path / "mine", untrained, quiet, read=read)
    said = json.loads((tmp_path / "mine" / "evaluation.json").read_text())["calibration"]
    assert (bundle.temperature, said["by"]) == (1, None)
    assert said["ece"] == said["ece_before"]
    # Three images held out say nothing either.
    few = replace(untrained, validation=0.25)
    bundle, _ = train(data, tmp_path / "few", few, quiet, read=read)
    assert bundle.temperature == 1


def test_events_have_the_checksums_that_tensorboard_asks_for(tmp_path: Path) -> None:
    events = Events(tmp_path / "some" / EVENTS_FILE, lambda: 1.5)
    events.add(300, {"loss": 0.25})
    # As tensorboard 2.21's own writer has them; it reads this file as step 300, loss 0.25.
    assert (tmp_path / "some" / EVENTS_FILE).read_bytes().hex() == WRITTEN


def steps_in(path: Path) -> list[int]:
    """The steps of a file of events, by their plain bytes."""
    content, steps = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = content[12 : 12 + length]
        assert event[:9] == b"\x09" + struct.pack("<d", 5.0), "the clock is the one that was given"
        steps.append(event[10] if event[9] == 0x10 else 0)
        content = content[16 + length :]
    return steps
