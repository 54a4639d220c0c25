"""Names by which processes know each other, wherever they run."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

_VARIABLE = "_GEOGAZE_PROCESS"


def new_name() -> str:
    """A name that no other process has.

    Host names and process ids say where to look; alone they are not enough: containers share host
    names, on the host's network, and have the same few process ids.
    """
    return f"{socket.gethostname()}:{uuid4().hex[:12]}:{os.getpid()}"


def name_children() -> None:
    """Give all children of this process its name; a pool's only child goes by its parent's."""
    os.environ[_VARIABLE] = new_name()


def process_name() -> str:
    """The name that the parent gave, so that who replaces a child has its name, or a new one."""
    return os.environ.get(_VARIABLE) or new_name()
