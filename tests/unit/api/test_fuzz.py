"""A short run of ``make fuzz``: random requests get documented answers, and none is a 5xx."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fuzz.__main__ import fuzz


def test_random_requests_get_documented_answers(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with report.open("w") as output:
        code = fuzz(tmp_path, "--phases=fuzzing", "--max-examples=3", "--seed=1", output=output)
    said = report.read_text()
    assert code == 0, said
    counted = re.search(r"(\d+) generated, (\d+) passed", said)
    assert counted, said
    assert int(counted[1]) >= 23, "one for each operation"
    assert counted[1] == counted[2]
