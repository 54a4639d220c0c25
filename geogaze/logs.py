"""Structured logs on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from typing_extensions import override


def configure_logging(level: str, style: str) -> None:
    """Set up structlog once for the process.

    Args:
        level: a name such as ``info``.
        style: ``console`` or ``json``.
    """
    render: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Not the rich one: it prints local variables, secrets among them.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if style == "json" else []),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class _Forward(logging.Handler):
    """Gives records of the standard library's loggers to ours."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            record.getMessage().strip(),
            logger=record.name,
            exc_info=record.exc_info,
        )


def forward_warnings() -> None:
    """Show what libraries and Python itself warn of, such as why a worker ends, as our own lines:
    else it would end in silence, or be no JSON.
    """
    logging.captureWarnings(True)
    logging.basicConfig(handlers=[_Forward(logging.WARNING)], force=True)
