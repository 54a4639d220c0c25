"""Another model's audit of the same class, to be read beside this one. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geogaze.audit.gate import FIGURES, interval_of, value_of
from geogaze.errors import InvalidRequest

Document = dict[str, Any]


def read_other(path: Path, name: str) -> Document:
    """An earlier audit's document.

    Raises:
        InvalidRequest: it is none, or of another class.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        classes = list(found["classes"])
        one = found["classes"].get(name)
        if one is not None:
            for figure in FIGURES:
                value_of(one, figure), interval_of(one, figure)
            _ = one["verdict"], one["words"], found["model"], found["scenes"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{path} is no audit.json of this version ({error!r}).") from error
    if one is None:
        raise InvalidRequest(f"{path} is an audit of {', '.join(classes)}, and not of {name!r}.")
    return {"model": found["model"], "scenes": found["scenes"], **one}
