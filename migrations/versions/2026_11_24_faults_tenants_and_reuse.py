"""faults tenants and reuse"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "bfe373c073be"
down_revision = "8853cb49145e"
branch_labels = None
depends_on = None

_DEFAULTS = {
    "jobs": ["tenant", "tile_rows", "tile_cols", "chunk_side", "priority", "content"],
    "phases": ["tiles_reused"],
    "units": ["root", "failures", "outages"],
}


def upgrade() -> None:
    op.create_table(
        "leads",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=255), nullable=False),
        sa.Column("until", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Float(precision=53), nullable=False),
        sa.Column("delivered", sa.Float(precision=53), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("deliveries_due", ["delivered", "next_attempt_at"], unique=False)

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("tenant", sa.String(length=255), nullable=False, server_default="default")
        )
        batch_op.add_column(
            sa.Column("tile_rows", sa.Integer(), nullable=False, server_default="1")
        )
        batch_op.add_column(
            sa.Column("tile_cols", sa.Integer(), nullable=False, server_default="1")
        )
        batch_op.add_column(
            sa.Column("chunk_side", sa.Integer(), nullable=False, server_default="1")
        )
        batch_op.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(
            sa.Column("content", sa.String(length=64), nullable=False, server_default="")
        )
        batch_op.add_column(sa.Column("idempotency_key", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("subscriber", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("last_error", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("released", sa.Float(precision=53), nullable=True))
        batch_op.create_index("jobs_content", ["content"], unique=False)
        batch_op.create_index("jobs_idempotency_key", ["tenant", "idempotency_key"], unique=True)

    with op.batch_alter_table("phases", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("tiles_reused", sa.Integer(), nullable=False, server_default="0")
        )

    with op.batch_alter_table("units", schema=None) as batch_op:
        batch_op.add_column(sa.Column("root", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("window", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("outages", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("prefix", sa.String(length=255), nullable=True))
        batch_op.drop_index(batch_op.f("units_due"))
        batch_op.create_index("units_due", ["job_id", "state", "next_attempt_at"], unique=False)
        batch_op.create_index("units_prefix", ["prefix"], unique=False)
        batch_op.create_index("units_state", ["state", "lease_until"], unique=False)

    _fill()
    # New rows say these themselves.
    for table, columns in _DEFAULTS.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.alter_column(column, server_default=None)


def _fill() -> None:
    """Roots and prefixes of units that are there already, so that nothing is collected."""
    units = sa.table(
        "units",
        sa.column("id", sa.Uuid()),
        sa.column("job_id", sa.Uuid()),
        sa.column("phase"),
        sa.column("position"),
        sa.column("root"),
        sa.column("attempt"),
        sa.column("prefix"),
    )
    connection = op.get_bind()
    connection.execute(sa.update(units).values(root=units.c.position))
    rows = connection.execute(sa.select(units).where(units.c.attempt > 0)).all()
    for row in rows:
        prefix = f"jobs/{row.job_id}/{row.phase}/{row.position}/{row.attempt}/"
        connection.execute(sa.update(units).where(units.c.id == row.id).values(prefix=prefix))


def downgrade() -> None:
    with op.batch_alter_table("units", schema=None) as batch_op:
        batch_op.drop_index("units_state")
        batch_op.drop_index("units_prefix")
        batch_op.drop_index("units_due")
        batch_op.create_index(batch_op.f("units_due"), ["state", "next_attempt_at"], unique=False)
        batch_op.drop_column("prefix")
        batch_op.drop_column("outages")
        batch_op.drop_column("failures")
        batch_op.drop_column("window")
        batch_op.drop_column("root")

    with op.batch_alter_table("phases", schema=None) as batch_op:
        batch_op.drop_column("tiles_reused")

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("jobs_idempotency_key")
        batch_op.drop_index("jobs_content")
        batch_op.drop_column("released")
        batch_op.drop_column("last_error")
        batch_op.drop_column("subscriber")
        batch_op.drop_column("idempotency_key")
        batch_op.drop_column("content")
        batch_op.drop_column("priority")
        batch_op.drop_column("chunk_side")
        batch_op.drop_column("tile_cols")
        batch_op.drop_column("tile_rows")
        batch_op.drop_column("tenant")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("deliveries_due")

    op.drop_table("deliveries")
    op.drop_table("workers")
    op.drop_table("leads")
