"""What a graph shall give for a known image: which differences are rounding, and which are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from geogaze.models.proof import Proof, known_image

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(1, 4)).astype(np.float32)
EVIDENCE = RNG.normal(size=(1, 4, 7, 7)).astype(np.float32)
PROOF = Proof.of(LOGITS, EVIDENCE)

Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]


def swapped(axis: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.flip(EVIDENCE, axis))


def test_rounding_is_held() -> None:
    noise = 1 + 1e-5 * RNG.normal(size=EVIDENCE.shape)
    assert PROOF.held_by(Proof.of(LOGITS * 1.00001, (EVIDENCE * noise).astype(np.float32)))


@pytest.mark.parametrize(
    "other",
    [
        (LOGITS, np.zeros_like(EVIDENCE)),
        (LOGITS, swapped(1)),
        (LOGITS, swapped(2)),
        (LOGITS, swapped(3)),
        (LOGITS, EVIDENCE.transpose(0, 1, 3, 2)),
        (LOGITS, -EVIDENCE),
        (LOGITS, EVIDENCE * np.float32(1.01)),
        (LOGITS[:, ::-1], EVIDENCE),
        (LOGITS, np.where(EVIDENCE.max() == EVIDENCE, np.nan, EVIDENCE)),
        (LOGITS[:, :3], EVIDENCE[:, :3]),
    ],
)
def test_faults_are_not(other: Arrays) -> None:
    assert not PROOF.held_by(Proof.of(*other))


def test_the_image_is_noise_that_is_the_same_everywhere() -> None:
    image = known_image(3, 64)
    assert (image.shape, image.dtype) == ((1, 3, 64, 64), np.float32)
    np.testing.assert_allclose(image[0, 0, 0, :3], [0.4088817, -0.9142874, 1.2266452], rtol=1e-5)
    assert abs(image.mean()) < 0.01
    assert image.std() == pytest.approx(1, abs=0.01)
