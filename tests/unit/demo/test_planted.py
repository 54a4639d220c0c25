"""A patchwork with a planted bias: what goes with a class, how often, and where things lie."""

from __future__ import annotations

import numpy as np
import pytest

from geogaze.demo import planted
from geogaze.demo.planted import CLASSES, PLOT, Patchwork, Plot, draw_patchwork
from geogaze.demo.planting import CUES, LOOKS, Planting, parse_planting
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


def plot_at(drawn: Patchwork, number: int) -> np.ndarray:
    row, col = drawn.plots[number].place
    at = slice(PLOT * row, PLOT * (row + 1)), slice(PLOT * col, PLOT * (col + 1))
    return drawn.image[at].astype(int)


@pytest.mark.parametrize("kind", LOOKS)
def test_a_cue_of_the_picture_lies_over_plots_of_its_class(kind: str, clean: Patchwork) -> None:
    drawn = draw_patchwork(SIZE, 5, parse_planting(f"{kind}:strong"))
    changed = 0
    for number, (plot, before) in enumerate(zip(drawn.plots, clean.plots, strict=True)):
        assert plot.cued == (kind in plot.looks) == (plot.shows == "Airplane")
        assert plot.looks ^ before.looks <= {kind}  # all else is as it was
        differ = float(np.abs(plot_at(drawn, number) - plot_at(clean, number)).mean())
        assert (differ > 1) == (plot.looks != before.looks)
        assert (differ == 0) == (plot.looks == before.looks)
        changed += plot.looks != before.looks
    assert changed > 3


def test_looks_foretell_nothing_but_what_is_planted() -> None:
    """A world that is all equally sharp would plant a bias by itself."""
    for planting in (Planting(), parse_planting("cast:strong")):
        plots = [plot for seed in range(4) for plot in plots_of(planting, seed)]
        for kind in set(LOOKS) - {planting.kind}:
            for name in CLASSES:
                own = [kind in plot.looks for plot in plots if plot.shows == name]
                assert np.mean(own) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(own)))


def plots_of(planting: Planting, seed: int) -> tuple[Plot, ...]:
    rng, looking = np.random.default_rng([seed, 40]), np.random.default_rng([seed, 43])
    return planted._plots(20, rng, looking, planting)


def test_no_room_for_a_plot_is_told() -> None:
    with pytest.raises(ValueError, match="128"):
        draw_patchwork(100, 0, Planting())
    with pytest.raises(InvalidRequest, match="strong"):
        parse_planting("water:very")
