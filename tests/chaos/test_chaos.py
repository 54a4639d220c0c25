"""Half a minute of chaos; ``make chaos`` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.driver import LOSSES, Chaos


@pytest.mark.timeout(400)
def test_nothing_is_lost_whatever_dies(tmp_path: Path) -> None:
    said: list[str] = []
    found = Chaos(tmp_path, seed=5, say=said.append, poison=False).run(30, kills=4)
    assert not any(found[name] for name in LOSSES), (found, said)
    assert found["checksums_equal"], (found, said)
    assert found["jobs_compared"] > 0, (found, said)
