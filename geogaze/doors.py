"""Implementations by reference, so that a table can name what only some processes can import."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve(reference: str) -> Any:
    """What ``package.module:name`` names, as an entry point would; its module is imported now.

    Raises:
        LookupError: its module, or what that imports, is not there, or nothing of that name in it.
    """
    module, separator, name = reference.partition(":")
    if not separator:
        raise LookupError(f"{reference!r} is no reference: write 'package.module:name'.")
    try:
        found = import_module(module)
    except ImportError as error:
        raise LookupError(f"{reference!r} cannot be imported: {error}.") from error
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise LookupError(f"{reference!r} leads nowhere: {error}.") from error
