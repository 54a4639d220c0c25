"""phases by name: expand

A phase's row says all that the ledger has to know of it: what there is to count, how it is divided,
what it is called. That was in the job's row and in the code. The phases of every job are described,
whatever state it is in.

Until the contraction, processes of before and of now may run side by side: a trigger tells whoever
inserts a phase in the words of one in those of the other, too. Jobs of other processes than
``explain`` have no words in the old code, which breaks on them: none may be submitted before the
contraction, and going back dismisses them. Counts (``tiles_done``
and its like, ``window``) keep their columns' names, for the same reason and for good: the code
calls them by general ones.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "c81f5e27a604"
down_revision = "5d0c3b7f2a91"
branch_labels = None
depends_on = None

OLD = ("tiles", "tile_rows", "tile_cols", "chunk_side")
NAMES = {"jobs": "phase", "phases": "phase", "units": "phase"}

_DESCRIBE = """
UPDATE phases SET
    position = CASE phase WHEN 'explain' THEN 0 WHEN 'calibrate' THEN 1 WHEN 'render' THEN 2
        ELSE 3 END,
    share = CASE phase WHEN 'explain' THEN 85 WHEN 'calibrate' THEN 5 WHEN 'render' THEN 8
        ELSE 2 END,
    doing = CASE phase WHEN 'explain' THEN 'explaining'
        WHEN 'calibrate' THEN 'blending and calibrating layer'
        WHEN 'render' THEN 'drawing overlay' ELSE 'publishing' END,
    items = CASE phase WHEN 'explain' THEN
        (SELECT tiles FROM jobs WHERE jobs.id = phases.job_id) ELSE 0 END,
    noun = CASE phase WHEN 'explain' THEN 'tiles' ELSE '' END,
    rows = CASE phase WHEN 'explain' THEN
        (SELECT tile_rows FROM jobs WHERE jobs.id = phases.job_id) END,
    cols = CASE phase WHEN 'explain' THEN
        (SELECT tile_cols FROM jobs WHERE jobs.id = phases.job_id) END,
    side = CASE phase WHEN 'explain' THEN
        (SELECT chunk_side FROM jobs WHERE jobs.id = phases.job_id) END,
    skips = phase = 'explain' AND coalesce(
        (SELECT {on_error} FROM jobs WHERE jobs.id = phases.job_id), 'fail') = 'skip',
    shared = phase = 'explain'
WHERE share IS NULL
"""
_ON_ERROR = {"postgresql": "plan->>'on_error'", "sqlite": "json_extract(plan, '$.on_error')"}
_OF_NEW = " AND job_id = NEW.job_id"
_TELL_JOB = """
UPDATE jobs SET tiles = NEW.items, tile_rows = NEW.rows, tile_cols = NEW.cols, chunk_side = NEW.side
WHERE id = NEW.job_id AND tiles IS NULL AND NEW.rows IS NOT NULL
"""


def upgrade() -> None:
    for table, column in NAMES.items():
        _name(table, column, 16, 64)
    with op.batch_alter_table("jobs") as batch:
        for column in OLD:
            batch.alter_column(column, existing_type=sa.Integer(), nullable=True)
    with op.batch_alter_table("phases") as batch:
        for column in described():
            batch.add_column(column)
    describe()
    tell_both()


def downgrade() -> None:
    tell_both_no_more()
    _forget_other_processes()
    with op.batch_alter_table("phases") as batch:
        for column in described():
            batch.drop_column(column.name)
    with op.batch_alter_table("jobs") as batch:
        for column in OLD:
            batch.alter_column(column, existing_type=sa.Integer(), nullable=False)
    for table, column in NAMES.items():
        _name(table, column, 64, 16)


def _forget_other_processes() -> None:
    """Remove jobs that the code before has no words for; it would break on each of them."""
    others = "SELECT id FROM jobs WHERE process <> 'explain'"
    for table in ("deliveries", "units", "phases"):
        op.execute(f"DELETE FROM {table} WHERE job_id IN ({others})")  # noqa: S608  our names
    op.execute("DELETE FROM jobs WHERE process <> 'explain'")


def described() -> list[sa.Column[object]]:
    """The columns that describe a phase; they stay empty in what is inserted by the old code."""
    return [
        sa.Column("position", sa.Integer()),
        sa.Column("share", sa.Integer()),
        sa.Column("doing", sa.String(255)),
        sa.Column("items", sa.Integer()),
        sa.Column("noun", sa.String(32)),
        sa.Column("rows", sa.Integer()),
        sa.Column("cols", sa.Integer()),
        sa.Column("side", sa.Integer()),
        sa.Column("skips", sa.Boolean()),
        sa.Column("shared", sa.Boolean()),
    ]


def describe() -> None:
    """Describe every phase that is not described yet."""
    op.execute(_DESCRIBE.format(on_error=_ON_ERROR[op.get_bind().dialect.name]))


def tell_both() -> None:
    """Tell each new phase in both ways, by a trigger."""
    dialect = op.get_bind().dialect.name
    told = _DESCRIBE.format(on_error=_ON_ERROR[dialect]) + _OF_NEW + ";" + _TELL_JOB + ";"
    if dialect == "sqlite":
        op.execute(f"CREATE TRIGGER phases_told AFTER INSERT ON phases BEGIN {told} END")
        return
    op.execute(
        "CREATE FUNCTION tell_phase() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {told} RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER phases_told AFTER INSERT ON phases "
        "FOR EACH ROW EXECUTE FUNCTION tell_phase()"
    )


def tell_both_no_more() -> None:
    """Remove the trigger."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER phases_told")
        return
    op.execute("DROP TRIGGER phases_told ON phases")
    op.execute("DROP FUNCTION tell_phase()")


def _name(table: str, column: str, before: int, after: int) -> None:
    with op.batch_alter_table(table) as batch:
        batch.alter_column(
            column,
            existing_type=sa.String(before),
            type_=sa.String(after),
            existing_nullable=False,
        )
