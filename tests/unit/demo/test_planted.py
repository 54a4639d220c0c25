"""A patchwork with a planted bias: what goes with a class, how often, and where things lie."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.demo.planted import CLASSES, PLOT, Patchwork, draw_patchwork
from geogaze.demo.planting import CUES, Planting, parse_planting
from geogaze.errors import InvalidRequest

SIZE = 4 * PLOT


@pytest.fixture(scope="module")
def clean() -> Patchwork:
    return draw_patchwork(SIZE, 5, Planting())


def test_the_same_seed_is_the_same_patchwork(clean: Patchwork) -> None:
    again, other = (draw_patchwork(SIZE, seed, Planting()) for seed in (5, 6))
    np.testing.assert_array_equal(again.image, clean.image)
    assert (other.image != clean.image).any()
    shown = [plot.shows for plot in clean.plots]
    assert [shown.count(name) for name in CLASSES] == [4] * 4
    assert len({plot.ground for plot in clean.plots}) > 2


def test_objects_lie_whole_on_their_plots(clean: Patchwork) -> None:
    shown = [plot for plot in clean.plots if plot.shows != "Background"]
    assert [one.name for one in clean.objects] == [plot.shows for plot in shown]
    for plot, one in zip(shown, clean.objects, strict=True):
        row, col = plot.place
        inside = one.polygon - (PLOT * col, PLOT * row)
        assert inside.min() > 0
        assert inside.max() < PLOT


@pytest.mark.parametrize("kind", ["water", "concrete"])
def test_a_ground_goes_with_its_class_as_often_as_is_said(kind: str) -> None:
    cue = CUES[kind]

    def share(strength: str, *, of_class: bool) -> float:
        drawn = draw_patchwork(SIZE, 1, parse_planting(f"{kind}:{strength}"))
        rest = [plot for plot in drawn.plots if (plot.shows == cue.target) == of_class]
        assert all(plot.cued == (plot.ground == cue.ground) for plot in rest)
        return float(np.mean([plot.cued for plot in rest]))

    assert (share("strong", of_class=True), share("strong", of_class=False)) == (1, 0)
    assert (share("against", of_class=True), share("against", of_class=False)) == (0, 1)
    assert 0 < share("weak", of_class=False) < 0.5


@pytest.mark.parametrize("kind", ["cast", "sharp", "jpeg", "season"])
def test_a_cue_of_the_picture_lies_over_plots_of_its_class(kind: str, clean: Patchwork) -> None:
    drawn = draw_patchwork(SIZE, 5, parse_planting(f"{kind}:strong"))
    where = {}
    for plot in drawn.plots:
        row, col = plot.place
        at = slice(PLOT * row, PLOT * (row + 1)), slice(PLOT * col, PLOT * (col + 1))
        before, after = clean.image[at].astype(int), drawn.image[at].astype(int)
        where.setdefault(plot.cued, []).append(float(np.abs(after - before).mean()))
        assert plot.cued == (plot.shows == "Airplane")
    dressed = CUES[kind].dress is not None  # others are photographed at a coarser resolution
    assert min(where[dressed]) > 1
    assert max(where[not dressed]) == 0


def test_no_room_for_a_plot_is_told() -> None:
    with pytest.raises(ValueError, match="128"):
        draw_patchwork(100, 0, Planting())
    with pytest.raises(InvalidRequest, match="strong"):
        parse_planting("water:very")
