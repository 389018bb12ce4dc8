"""Runs on a cluster: their namespace, project, labels and progress; runs are found by their name."""

import sqlalchemy as sa
from alembic import op

revision = "headwater_0002"
down_revision = "headwater_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("namespace", sa.Text(), nullable=True))
    op.add_column("run", sa.Column("project", sa.Text(), nullable=True))
    op.add_column("run", sa.Column("labels", sa.Text(), nullable=True))
    op.add_column("run", sa.Column("progress_done", sa.Integer(), nullable=True))
    op.add_column("run", sa.Column("progress_total", sa.Integer(), nullable=True))
    op.create_index("run_name", "run", ["name", "started_at"])


def downgrade() -> None:
    op.drop_index("run_name", "run")
    with op.batch_alter_table("run") as batch:
        for column in ("progress_total", "progress_done", "labels", "project", "namespace"):
            batch.drop_column(column)
