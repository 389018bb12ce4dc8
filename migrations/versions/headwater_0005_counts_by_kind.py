"""Runs are counted by workflow, project, backend and user too."""

import sqlalchemy as sa
from alembic import context, op
from headwater.records import counting

revision = "headwater_0005"
down_revision = "headwater_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute("LOCK TABLE run IN SHARE ROW EXCLUSIVE MODE")
    before = context.script.get_revision(down_revision).module
    before.downgrade()  # the counts as they were
    op.create_table(
        "run_count",
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("namespace", sa.Text(), primary_key=True),
        sa.Column("phase", sa.Text(), primary_key=True),
        sa.Column("runs", sa.Integer(), nullable=False),
    )
    triggers = counting.POSTGRESQL if dialect == "postgresql" else counting.SQLITE
    for text in (*counting.fill(dialect), *triggers):
        op.execute(text)


def downgrade() -> None:
    before = context.script.get_revision(down_revision).module
    before.downgrade()  # triggers and table have the same names
    before.upgrade()
