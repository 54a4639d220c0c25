"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.models.bundles import Probabilities
from geogaze.models.calibration import calibration, fitted_temperature, reliability
from geogaze.models.targets import probabilities


def drawn(rule: Probabilities, temperature: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are so many times as sure as their labels allow."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 4)).astype(np.float32)
    share = probabilities(honest, rule)
    if rule == "sigmoid":
        labels = (rng.random(share.shape) < share).astype(np.int64)
    else:
        labels = (rng.random((len(share), 1)) > share.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    return honest * np.float32(temperature), labels


@pytest.mark.parametrize("rule", ["softmax", "sigmoid"])
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_the_temperature_that_was_planted_is_found(rule: Probabilities, temperature: float) -> None:
    logits, labels = drawn(rule, temperature)
    found = fitted_temperature(logits, labels, rule)
    assert found == pytest.approx(temperature, rel=0.06)
    before, _ = calibration(logits, labels, rule)
    after, _ = calibration(logits, labels, rule, found)
    assert after < 0.02 < 0.05 < before


def test_no_other_temperature_makes_labels_likelier() -> None:
    logits, labels = drawn("softmax", 2.0)

    def loss(temperature: float) -> float:
        share = probabilities(logits, "softmax", temperature)
        return -float(np.log(share[np.arange(len(labels)), labels]).mean())

    found = fitted_temperature(logits, labels, "softmax")
    assert loss(found) < min(loss(found * 0.95), loss(found * 1.05))


def test_a_few_images_that_are_all_right_are_no_certainty() -> None:
    labels = np.arange(20) % 2
    logits = np.where(labels[:, None] == np.arange(2), 5, -5).astype(np.float32)
    found = fitted_temperature(logits, labels, "softmax")
    # One wrong answer in 22: what Platt expects after 20 right ones.
    assert probabilities(logits, "softmax", found).max() == pytest.approx(21 / 22, abs=1e-4)


def test_logits_that_say_nothing_become_no_surer() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (500, 3)).astype(np.float32)
    labels = np.random.default_rng(2).integers(0, 3, 500)
    assert fitted_temperature(logits, labels, "softmax") > 10


def test_the_error_is_the_distance_of_confidence_and_accuracy() -> None:
    # Four answers of 0.9, of which two are right; one of 0.5, which is.
    error, curve = reliability(
        np.array([0.9, 0.9, 0.9, 0.9, 0.5]), np.array([True, True, False, False, True])
    )
    assert error == pytest.approx((4 * 0.4 + 1 * 0.5) / 5)
    assert [(bar["answers"], bar["accuracy"]) for bar in curve] == [(1, 1.0), (4, 0.5)]
    assert curve[1]["low"] <= 0.9 <= curve[1]["high"]
    sure, _ = reliability(np.array([1.0, 1.0]), np.array([True, True]))
    assert sure == 0


def test_by_sigmoid_each_yes_and_no_is_an_answer() -> None:
    logits = np.array([[np.log(9), -np.log(9)]], dtype=np.float32)  # 0.9 yes, 0.9 no
    error, curve = calibration(logits, np.array([[1.0, 1.0]]), "sigmoid")
    assert (len(curve), curve[0]["answers"], curve[0]["accuracy"]) == (1, 2, 0.5)
    assert error == pytest.approx(0.4, abs=1e-6)
