"""keys, and bytes of jobs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4f1d7c90be26"
down_revision = "a3d94f60c7e1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("tenant", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created", sa.Float(53), nullable=False),
        sa.Column("expires", sa.Float(53), nullable=True),
        sa.Column("revoked", sa.Float(53), nullable=True),
        sa.Column("last_used", sa.Float(53), nullable=True),
    )
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("size", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as batch:
        batch.drop_column("size")
    op.drop_table("keys")
