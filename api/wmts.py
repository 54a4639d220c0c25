"""Requests of WMTS 1.0.0 by key and value, and its refusals."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from geogaze.errors import InvalidRequest

MEDIA_TYPE = "text/xml"
_LONGEST = 9  # digits of numbers
_REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<ExceptionReport xmlns="http://www.opengis.net/ows/1.1" version="1.1.0" xml:lang="en">
<Exception exceptionCode="{code}"{locator}><ExceptionText>{text}</ExceptionText></Exception>
</ExceptionReport>
"""


class Refused(InvalidRequest):
    """What the standard has a code for; ``locator`` is the parameter at fault."""

    def __init__(self, message: str, code: str, locator: str) -> None:
        super().__init__(message)
        self.code, self.locator = code, locator


class NotSupported(Refused):
    """An operation that is not there."""

    status = 501


def report(text: str, code: str = "NoApplicableCode", locator: str = "") -> str:
    """An exception report."""
    at = f" locator={quoteattr(locator)}" if locator else ""
    return _REPORT.format(code=code, locator=at, text=escape(text))


class Asked:
    """What a request asks for: names are in any case, values are not."""

    def __init__(self, query: Iterable[tuple[str, str]]) -> None:
        self._values = {name.lower(): value for name, value in query}

    def __call__(self, name: str) -> str:
        """What a parameter says.

        Raises:
            Refused: it is missing.
        """
        if not (value := self.maybe(name)):
            raise Refused(f"The parameter {name} is missing.", "MissingParameterValue", name)
        return value

    def maybe(self, name: str) -> str:
        """What a parameter says, "" if it is missing."""
        return self._values.get(name.lower(), "")

    def one_of(self, name: str, offered: Iterable[str]) -> str:
        """What a parameter says that has but these values.

        Raises:
            Refused: it is missing, or says something else.
        """
        value = self(name)
        if value not in (offered := list(offered)):
            message = f"{name} is {value[:80]!r}; there is {', '.join(offered)}."
            raise Refused(message, "InvalidParameterValue", name)
        return value

    def number(self, name: str) -> int:
        """A number, from 0 on.

        Raises:
            Refused: it is missing, or none.
        """
        value = self(name)
        if not (value.isascii() and value.isdecimal() and len(value) <= _LONGEST):
            message = f"{name} must be a number from 0 on, not {value[:80]!r}."
            raise Refused(message, "InvalidParameterValue", name)
        return int(value)
