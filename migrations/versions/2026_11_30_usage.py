"""what jobs took of workers

Old processes do not know the table and may run beside new ones; what they do is not in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "d81c3fa05e29"
down_revision = "9be2c6d1f047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column(
            "job_id", sa.Uuid(), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("phase", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(255), primary_key=True),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("core_seconds", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("usage")
