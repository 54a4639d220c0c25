"""Scores of labels of pixels, against sums pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from geogaze.errors import UnsupportedArchitecture
from geogaze.models.bundles import Probabilities
from geogaze.networks.logits import logits_of, scores_in
from geogaze.networks.regions import Labels, Regions

SHAPE = (2, 3, 5, 7)


def maps(seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def by_pixel(values: torch.Tensor, rule: str, inside: torch.Tensor | None = None) -> Labels:
    """The slow way."""
    batch, classes, rows, cols = values.shape
    sums, counts = torch.zeros(batch, classes), torch.zeros(batch, classes)
    pixels = 0
    for row in range(rows):
        for col in range(cols):
            if inside is not None and not inside[row, col]:
                continue
            pixels += 1
            for i in range(batch):
                logits = values[i, :, row, col].tolist()
                for k, logit in enumerate(logits):
                    here = logit == max(logits) if rule == "softmax" else logit > 0
                    counts[i, k] += here
                    sums[i, k] += logit if here or rule == "none" or inside is not None else 0
    return Labels(sums, counts / pixels)


@pytest.mark.parametrize("rule", ["softmax", "sigmoid"])
def test_a_class_scores_its_logits_where_it_is_predicted(rule: Probabilities) -> None:
    found, wanted = Regions(rule)(maps()), by_pixel(maps(), rule)
    torch.testing.assert_close(found.logits, wanted.logits)
    torch.testing.assert_close(found.shares, wanted.shares)
    assert found.shares is not None
    assert (rule == "softmax") == torch.allclose(found.shares.sum(1), torch.ones(2))


def test_of_what_is_not_of_classes_all_counts() -> None:
    found = Regions("none")(maps())
    torch.testing.assert_close(found.logits, maps().sum((2, 3)))
    assert found.shares is None


def test_within_a_place_its_logits_count_whatever_is_predicted() -> None:
    regions, inside = Regions("softmax"), torch.zeros(5, 7, dtype=torch.bool)
    inside[1:4, 2:3] = True
    # At another resolution, as a network's labels are coarser than its images.
    fine = inside.repeat_interleave(2, 0).repeat_interleave(2, 1).expand(2, 1, 10, 14)
    with regions.within(fine):
        found = regions({"out": maps()})
    wanted = by_pixel(maps(), "softmax", inside)
    torch.testing.assert_close(found.logits, wanted.logits)
    torch.testing.assert_close(found.shares, wanted.shares)
    torch.testing.assert_close(regions(maps()), by_pixel(maps(), "softmax"))


def test_where_a_class_is_predicted_is_not_differentiated() -> None:
    values = maps().requires_grad_()
    scores = Regions("softmax")(values).logits
    (gradient,) = torch.autograd.grad(scores.sum(), values)
    torch.testing.assert_close(gradient, (maps() == maps().amax(1, keepdim=True)).float())


def test_maps_are_scores_of_pixels_and_no_logits_of_images() -> None:
    assert scores_in({"out": maps()}, 2).shape == SHAPE
    with pytest.raises(UnsupportedArchitecture, match="not logits"):
        logits_of(maps(), 2)


@pytest.mark.parametrize("output", [[{"boxes": maps()}], {"pred_boxes": 1, "logits": maps()[0]}])
def test_boxes_are_told(output: object) -> None:
    with pytest.raises(UnsupportedArchitecture, match="detects objects"):
        logits_of(output, 2)
