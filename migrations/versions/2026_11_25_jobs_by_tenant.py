"""jobs by tenant

Lists are of one tenant, newest first. Nothing that runs now is in this index's way: expansion
alone, so old and new processes may run beside each other, and nothing is left to contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

revision = "4f0c2a9d71be"
down_revision = "bfe373c073be"
branch_labels = None
depends_on = None

_NAME = "jobs_of_tenant"


@contextmanager
def _beside_traffic() -> Iterator[dict[str, bool]]:
    """PostgreSQL need not stop writing to the table meanwhile."""
    if op.get_bind().dialect.name != "postgresql":
        yield {}
        return
    with op.get_context().autocommit_block():
        yield {"postgresql_concurrently": True}


def upgrade() -> None:
    with _beside_traffic() as how:
        # One that was cut short is there already, and of no use.
        op.drop_index(_NAME, "jobs", if_exists=True, **how)
        op.create_index(_NAME, "jobs", ["tenant", "created", "id"], unique=False, **how)


def downgrade() -> None:
    with _beside_traffic() as how:
        op.drop_index(_NAME, "jobs", **how)
