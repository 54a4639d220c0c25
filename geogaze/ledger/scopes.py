"""What callers of the API may do. Pure: the command line reads it before any database."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do. None contains another: who scrapes metrics need see no job."""

    READ = "read"  # look at the tenant's jobs and products
    SUBMIT = "submit"  # start, retry, cancel and remove its jobs
    ADMIN = "admin"  # what concerns all tenants: see metrics and workers, change registered models
