"""The page on extending shows what the tests beside this one execute, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "extending.md").read_text()
EXECUTED = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("*.py")))

STAND_INS = {
    '"geogaze.evidence.cams.gradient_norm:CAM"': 'f"{__name__}:CAM"',
    "geogaze.processes.average:": "tests.unit.extending.average:",
    "geogaze.runner.phases.average:": "tests.unit.extending.average:",
    "geogaze.runner.phases.seal:": "tests.unit.extending.seal:",
}
"""Where examples lie in the package, and where while they are tested."""


def test_every_example_is_code_that_is_executed() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(examples) == 10
    for example in examples:
        # An example may leave out what lies between its paragraphs.
        for paragraph in example.strip().split("\n\n"):
            for place, stand_in in STAND_INS.items():
                paragraph = paragraph.replace(place, stand_in)  # noqa: PLW2901
            assert paragraph in EXECUTED, paragraph


def test_every_place_that_it_names_is_there() -> None:
    for path in re.findall(r"`((?:geogaze|api)/[\w/]+\.py)`", PAGE):
        new = path.rsplit("/", 1)[1].removesuffix(".py")
        assert (ROOT / path).is_file() or f"{new}" in EXECUTED, path
    for path in re.findall(r"\]\(\.\./([\w/.]+)\)", PAGE):
        assert (ROOT / path).is_file(), path
