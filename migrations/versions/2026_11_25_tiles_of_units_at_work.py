"""tiles of units at work

How far units are while they run, and how quickly it went of late. Expansion alone: processes of
before leave these columns as they are, which reads as "not known".
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7b1d94e02c5a"
down_revision = "4f0c2a9d71be"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("units", _count("tiles_done"))
    op.add_column("phases", _count("tiles_seen"))
    op.add_column("phases", sa.Column("pace", sa.JSON(none_as_null=True), nullable=True))


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def downgrade() -> None:
    for table, columns in {"phases": ("pace", "tiles_seen"), "units": ("tiles_done",)}.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
