"""retries in quotas

Old processes know neither column and may run beside new ones.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9be2c6d1f047"
down_revision = "b27e60d91c84"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("retried", sa.Float(53), nullable=True))
    with op.batch_alter_table("phases") as batch:
        batch.add_column(sa.Column("items_before", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("phases") as batch:
        batch.drop_column("items_before")
    with op.batch_alter_table("jobs") as batch:
        batch.drop_column("retried")
