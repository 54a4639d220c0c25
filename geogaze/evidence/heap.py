"""How the process's heap treats the memory of activations. No torch here."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # malloc.h


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of activations instead of giving it back after every layer.

    Page faults on fresh memory otherwise cost as much time as small convolutions do. Threads share
    one pool, or each would keep its own.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**30)
