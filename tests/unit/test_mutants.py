"""The tool behind make mutants: which faults it takes, and how it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import report
from tests.mutants.catalogue import Mutant, Refused, read, refusals
from tests.mutants.trial import Verdict

SOURCE = "def double(x):\n    return x + x\n\n\ndef zero():\n    return 0\n"


def mutant(old: str = "x + x", new: str = "x - x", **others: str) -> Mutant:
    return Mutant(others.get("area", "made"), "code.py", old, new, ("test_code.py",), "")


def test_a_fault_replaces_its_text() -> None:
    assert mutant().applied(SOURCE) == SOURCE.replace("x + x", "x - x")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("x * x", "x", "found 0 times"),
        ("return", "yield", "found 2 times"),
        ("x + x", "x +", "does not compile"),
        ("x + x", "x + x", "is the old one"),
    ],
)
def test_what_is_no_fault_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        mutant(old, new).applied(SOURCE)
    (tmp_path / "code.py").write_text(SOURCE)
    (tmp_path / "test_code.py").touch()
    wrong, right = mutant(old, new), mutant()
    found = refusals([wrong, right], tmp_path)
    assert list(found) == [wrong]
    assert said in found[wrong]


def test_missing_code_and_missing_tests_are_refused(tmp_path: Path) -> None:
    assert "no such module" in refusals([mutant()], tmp_path)[mutant()]
    (tmp_path / "code.py").write_text(SOURCE)
    assert "there is no test_code.py" in refusals([mutant()], tmp_path)[mutant()]


def test_lists_are_read_area_by_area(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(
        '[[file]]\npath = "a.py"\ntests = ["t.py"]\n'
        'faults = [{ old = "1", new = "2" }, { old = "3", new = "4", tests = ["u.py"] }]\n'
    )
    one, other = read(tmp_path)
    assert (one.area, one.path, one.old, one.new, one.tests) == (
        "grid",
        "a.py",
        "1",
        "2",
        ("t.py",),
    )
    assert other.tests == ("u.py",)


@pytest.mark.parametrize(
    ("status", "noticed"),
    [(0, False), (1, True), (2, True), (3, True), (4, False), (5, False), (-9, True), (None, True)],
)
def test_a_run_without_a_single_test_notices_nothing(status: int | None, noticed: bool) -> None:
    assert Verdict(status, 1.0, "").noticed is noticed


@pytest.mark.parametrize(
    ("words", "test"),
    [
        ("FAILED tests/a.py::test_b[two words] - assert 1 == 2", "tests/a.py::test_b[two words]"),
        ("FAILED tests/a.py::test_b", "tests/a.py::test_b"),
        ("ERROR tests/a.py", None),
        ("still running", None),
    ],
)
def test_the_test_that_noticed_is_named(words: str, test: str | None) -> None:
    assert Verdict(1, 1.0, words).test == test


@pytest.mark.parametrize(("survivors", "status"), [(1, 0), (2, 1)])
def test_nine_in_ten_of_each_area_are_to_be_noticed(
    capsys: pytest.CaptureFixture[str], survivors: int, status: int
) -> None:
    verdicts = {
        mutant(new=f"x - {n}"): Verdict(0 if n < survivors else 1, 1.0, "") for n in range(10)
    }
    verdicts |= {mutant(new=f"x - {n}", area="other"): Verdict(1, 1.0, "") for n in range(100)}
    assert report(verdicts, 1.0) == status
    said = capsys.readouterr().out
    assert said.count("Survived: code.py: 'x + x'") == survivors
    assert ("less than 90%" in said) == bool(status)
