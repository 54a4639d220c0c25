"""A run of tests ends, whatever a failed test leaves running."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LEAVES_A_THREAD = """
import threading

def test_owner():
    threading.Thread(target=threading.Event().wait, name="left behind").start()
    assert False, "before anybody stops it"
"""


def test_a_thread_that_a_failed_test_leaves_behind_is_shown_and_ended(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LEAVES_A_THREAD)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GEOGAZE_TEST_EXIT_SECONDS": "0.5"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "test_it.py"]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "no:schemathesis"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 1
    assert "1 failed" in ended.stdout
    assert "Timeout (0:00:00.5" in ended.stderr
    assert "in wait" in ended.stderr, "what the thread is at"
