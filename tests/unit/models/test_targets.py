"""Names of what is asked for, and how probable it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from geogaze.errors import UnknownClass
from geogaze.models.bundles import Bundle, Probabilities
from geogaze.models.targets import layer_names, own, parse_target, probabilities, target_probability


def bundle(*classes: str) -> Bundle:
    return Bundle(
        name="mine",
        architecture="resnet18",
        classes=classes,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        input_size=64,
        module="layer4",
        stride=32,
        first_center=0.0,
        cells=2,
        weights="sha256:" + "0" * 64,
    )


PORTS = bundle("ship", "harbor", "parking lot", "nothing", "not a ship", "ship vs harbor")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ship", (0, None)),
        ("parking lot", (2, None)),
        ("nothing", (3, None)),  # begins with "not", is not "not hing"
        ("harbor vs ship", (1, 0)),
        ("ship vs parking lot", (0, 2)),
        ("ship  vs  parking lot", (0, 2)),
        ("nothing vs not a ship", (3, 4)),
        ("not a ship vs nothing", (4, 3)),
        ("not ship", (None, 0)),
        ("not  parking lot", (None, 2)),
        ("not nothing", (None, 3)),
        # A class of such a name comes first, and what is said of it.
        ("not a ship", (4, None)),
        ("ship vs harbor", (5, None)),
        ("not not a ship", (None, 4)),
        ("not ship vs harbor", None),
        ("ship vs not a ship", (0, 4)),
    ],
)
def test_a_name_stands_for_a_target(name: str, target: tuple[int | None, int | None]) -> None:
    if target is None:  # "not ship" is no class
        with pytest.raises(UnknownClass, match="'not ship'"):
            parse_target(name, PORTS)
    else:
        assert parse_target(name, PORTS) == target


def test_without_such_a_class_the_words_mean_what_they_say() -> None:
    plain = bundle("a", "b")
    assert parse_target("a vs b", plain) == (0, 1)
    assert parse_target("not a", plain) == (None, 0)
    assert parse_target("a vs b", bundle("a", "b", "a vs b")) == (2, None)
    assert parse_target("not a", bundle("a", "b", "not a")) == (2, None)


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("shop", "shop"),
        ("", ""),
        ("ship vs shop", "shop"),
        ("shop vs ship", "shop"),
        ("ship vs ", ""),
        ("ship vs harbor vs nothing", "harbor vs nothing"),
        ("shipvs harbor", "shipvs harbor"),
        ("not shop", "shop"),
        ("not ", ""),
        ("not", "not"),
    ],
)
def test_a_name_of_no_class_is_refused(name: str, unknown: str) -> None:
    with pytest.raises(UnknownClass, match=f"'mine' has no class '{unknown}'"):
        parse_target(name, PORTS)


def test_all_wrong_names_are_told_at_once_with_near_ones() -> None:
    with pytest.raises(UnknownClass) as caught:
        layer_names(["shop", "harbor", "not parkinglot", "ship vs Harbour", "xyz"], PORTS)
    told = str(caught.value)
    assert "'shop' (did you mean 'ship'" in told
    assert "'parkinglot' (did you mean 'parking lot'" in told
    assert "'Harbour' (did you mean 'harbor'" in told
    assert "nor 'xyz'." in told
    assert "'harbor' (" not in told


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("Ship", "ship"),
        ("  parking   LOT ", "parking lot"),
        ("parking_lot", "parking lot"),
        ("Parking-Lot VS Ship", "parking lot vs ship"),
        ("Not ship", "not ship"),
        ("0", "ship"),
        ("2 vs 0", "parking lot vs ship"),
        ("not 1", "not harbor"),
        ("SHIP vs HARBOR", "ship vs harbor"),
    ],
)
def test_case_spaces_and_numbers_are_understood(name: str, layer: str) -> None:
    assert layer_names([name, layer], PORTS) == (layer,)
    assert parse_target(name, PORTS) == parse_target(layer, PORTS)


def test_a_class_called_by_a_number_comes_before_the_position() -> None:
    years = bundle("1990", "0", "sea")
    assert parse_target("0", years) == (1, None)
    assert parse_target("2", years) == (2, None)
    with pytest.raises(UnknownClass, match="'3'"):
        parse_target("3", years)


def test_names_that_differ_by_nothing_else_must_be_spelled() -> None:
    alike = bundle("a b", "a_b")
    assert parse_target("a_b", alike) == (1, None)
    with pytest.raises(UnknownClass):
        parse_target("A B", alike)


def test_own_scores_are_targets_without_a_minus() -> None:
    assert own((0, 3)) == ((0, None), (3, None))
    assert own([]) == ()


def test_probabilities_are_softmax_also_of_large_logits() -> None:
    logits = np.array([[0, np.log(3), -np.inf], [1000, 1000, 999]], dtype=np.float32)
    e = np.exp(-1)
    expected = [[0.25, 0.75, 0], [1 / (2 + e), 1 / (2 + e), e / (2 + e)]]
    found = probabilities(logits)
    assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


SHARE = np.array([[0.2, 0.6, 0.2], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((0, None), [0.2, 0, 0]),
        ((1, None), [0.6, 1, 0]),
        ((None, 1), [0.4, 0, 1]),
        ((0, 1), [0.25, 0, 0.5]),  # neither of them: as likely the one as the other
        ((1, 0), [0.75, 1, 0.5]),
        ((0, 2), [0.5, 0.5, 0]),
        ((1, 1), [0.5, 0.5, 0.5]),
    ],
)
def test_a_target_is_as_probable_as_its_classes(
    target: tuple[int | None, int | None], expected: list[float]
) -> None:
    found = target_probability(SHARE, target)
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=1e-6)


EACH = np.array([[0.2, 0.6, 0.2], [0, 1, 0], [1, 1, 0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((0, None), [0.2, 0, 1]),
        ((None, 1), [0.4, 0, 0]),
        # 0.2 · 0.4 for the first alone, 0.6 · 0.8 for the second; both surely: no choice.
        ((0, 1), [0.08 / 0.56, 0, 0.5]),
        ((1, 0), [0.48 / 0.56, 1, 0.5]),
        ((0, 2), [0.5, 0.5, 1]),
    ],
)
def test_classes_that_do_not_exclude_each_other_are_told_apart_where_one_is_alone(
    target: tuple[int | None, int | None], expected: list[float]
) -> None:
    found = target_probability(EACH, target, "sigmoid")
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("rule", ["softmax", "sigmoid"])
def test_either_rule_tells_two_classes_apart_by_the_difference_of_logits(
    rule: Probabilities,
) -> None:
    logits = np.array([[0.3, -1.2, 4.0, 0.1]], dtype=np.float32)
    found = target_probability(probabilities(logits, rule), (0, 1), rule)
    assert_allclose(found, 1 / (1 + np.exp(-1.5)), rtol=1e-6)


@pytest.mark.parametrize("rule", ["softmax", "sigmoid"])
def test_a_temperature_divides_logits_before_they_become_probabilities(rule: Probabilities) -> None:
    logits = np.array([[0.3, -1.2, 4.0, 0.1]], dtype=np.float32)
    found = probabilities(logits, rule, 0.5)
    assert_allclose(found, probabilities(2 * logits, rule), rtol=1e-6)
    assert found.dtype == np.float32
    assert_allclose(target_probability(found, (0, 1), rule), 1 / (1 + np.exp(-3)), rtol=1e-6)


def test_shares_of_pixels_have_no_temperature() -> None:
    shares = np.array([[0.25, 0.75]], dtype=np.float32)
    assert probabilities(shares, "shares", 0.5) is shares


def test_probabilities_are_logistic_also_of_large_logits() -> None:
    logits = np.array([[0, np.log(3), -np.inf, 1000, -1000]], dtype=np.float32)
    found = probabilities(logits, "sigmoid")
    assert_allclose(found, [[0.5, 0.75, 0, 1, 0]], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("target", [(0, None), (None, 1), (0, 1)])
def test_scores_that_are_no_logits_have_no_probabilities(
    target: tuple[int | None, int | None],
) -> None:
    share = probabilities(np.array([[1.0, 2.0], [-3.0, 0.0]], dtype=np.float32), "none")
    assert share.shape == (2, 2)
    assert np.isnan(share).all()
    found = target_probability(share, target, "none")
    assert found.shape == (2,)
    assert np.isnan(found).all()
