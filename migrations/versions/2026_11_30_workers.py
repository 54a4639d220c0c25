"""what workers tell of themselves, and the request that a job came by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "b27e60d91c84"
down_revision = "4f1d7c90be26"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workers") as batch:
        batch.add_column(sa.Column("device", sa.String(255), nullable=True))
        batch.add_column(sa.Column("model", sa.String(255), nullable=True))
        batch.add_column(sa.Column("version", sa.String(64), nullable=True))
        batch.add_column(sa.Column("started", sa.Float(53), nullable=True))
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("request_id", sa.String(64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch:
        batch.drop_column("request_id")
    with op.batch_alter_table("workers") as batch:
        for name in ("started", "version", "model", "device"):
            batch.drop_column(name)
