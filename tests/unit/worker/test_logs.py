"""What the processes log."""

from __future__ import annotations

import json
import logging
import warnings

import pytest
import structlog

from geogaze.logs import configure_logging, forward_warnings


def fail(secret: str) -> None:
    try:
        int(f"{len(secret)} is out of luck")
    except ValueError:
        structlog.get_logger().exception("unit broke", unit=3)


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_tells_no_values(capsys: pytest.CaptureFixture[str], style: str) -> None:
    configure_logging("info", style)
    fail("pass" + "word")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "unit broke" in shown.err
    assert "8 is out of luck" in shown.err
    assert "password" not in shown.err


def test_json_is_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    log = structlog.get_logger()
    log.debug("quiet")
    log.info("unit done", job="1", unit=3)
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["unit"]) == ("unit done", "info", 3)
    assert entry["timestamp"].endswith("Z")


def test_what_celery_warns_of_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logging.captureWarnings(False)  # or they go where an earlier test's were sent
    try:
        configure_logging("info", "json")
        forward_warnings()
        logging.getLogger("celery.worker").critical("Unrecoverable error: %r", KeyError("x"))
        logging.getLogger("celery.worker").info("not this")
        warnings.showwarning("as root", UserWarning, "platforms.py", 893)
        line, warned = capsys.readouterr().err.splitlines()
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
    assert "893: UserWarning: as root" in json.loads(warned)["event"], "Python's, on one line"
    shown = json.loads(line)
    assert shown["event"] == "Unrecoverable error: KeyError('x')"
    assert (shown["level"], shown["logger"]) == ("critical", "celery.worker")
