"""phases by name: contract

No process of before the expansion may run any more. What a phase's row says, the job's need not.
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "e5a9036d1b7c"
down_revision = "c81f5e27a604"
branch_labels = None
depends_on = None

_expand = import_module("migrations.versions.2026_11_28_phases_by_name_expand")
_MAY_BE_EMPTY = {"rows", "cols", "side"}
_TELL_JOBS = """
UPDATE jobs SET {column} = (
    SELECT {source} FROM phases
    WHERE phases.job_id = jobs.id AND phases.rows IS NOT NULL ORDER BY position LIMIT 1
)
"""


def upgrade() -> None:
    _expand.describe()
    _expand.tell_both_no_more()
    _require(nullable=False)
    with op.batch_alter_table("jobs") as batch:
        for column in _expand.OLD:
            batch.drop_column(column)


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch:
        for column in _expand.OLD:
            batch.add_column(sa.Column(column, sa.Integer(), nullable=True))
    sources = ("items", "rows", "cols", "side")
    for column, source in zip(_expand.OLD, sources, strict=True):
        op.execute(_TELL_JOBS.format(column=column, source=source))
    _require(nullable=True)
    _expand.tell_both()


def _require(*, nullable: bool) -> None:
    with op.batch_alter_table("phases") as batch:
        for column in _expand.described():
            if column.name not in _MAY_BE_EMPTY:
                batch.alter_column(column.name, existing_type=column.type, nullable=nullable)
