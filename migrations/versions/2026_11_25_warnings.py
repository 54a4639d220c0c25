"""warnings of jobs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5d0c3b7f2a91"
down_revision = "7b1d94e02c5a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("warnings", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("warnings")
