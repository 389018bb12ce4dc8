"""How many runs of a day and a namespace are in which phase is kept as runs change, not counted when looked at."""

import sqlalchemy as sa
from alembic import op
from headwater.records import counting

revision = "headwater_0004"
down_revision = "headwater_0003"
branch_labels = None
depends_on = None

EVENTS = ("insert", "update", "delete")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.create_table(
        "run_count",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("namespace", sa.Text(), primary_key=True),
        sa.Column("phase", sa.Text(), primary_key=True),
        sa.Column("runs", sa.Integer(), nullable=False),
    )
    if dialect == "postgresql":
        op.execute("LOCK TABLE run IN SHARE ROW EXCLUSIVE MODE")
    op.execute(counting.FILL.format(day=counting.DAY[dialect]))
    for text in counting.POSTGRESQL if dialect == "postgresql" else counting.SQLITE:
        op.execute(text)


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for event in EVENTS:
        op.execute(f"DROP TRIGGER run_count_{event}" + (" ON run" if postgresql else ""))
        if postgresql:
            op.execute(f"DROP FUNCTION run_count_{event}()")
    op.drop_table("run_count")
