"""the catalogue of finished jobs

New tables alone, which old processes do not know: they may run beside new ones, and nothing is left
to contract. Jobs of before are entered when somebody first asks.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a3d94f60c7e1"
down_revision = "e5a9036d1b7c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("datetime", sa.Float(53)),
        sa.Column("model", sa.Text()),
        sa.Column("west", sa.Float(53)),
        sa.Column("south", sa.Float(53)),
        sa.Column("east", sa.Float(53)),
        sa.Column("north", sa.Float(53)),
        sa.Column("geometry", sa.JSON()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_index("entries_datetime", "entries", ["datetime", "job_id"])
    op.create_table(
        "entry_layers",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("probability", sa.Float(53)),
        sa.Column("tiles", sa.Integer()),
        sa.ForeignKeyConstraint(["job_id"], ["entries.job_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "position"),
    )


def downgrade() -> None:
    op.drop_table("entry_layers")
    op.drop_index("entries_datetime", "entries")
    op.drop_table("entries")
