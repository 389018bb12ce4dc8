"""Runs are found by phase, project, namespace, user and backend, latest first, among millions of them."""

from alembic import op

revision = "headwater_0003"
down_revision = "headwater_0002"
branch_labels = None
depends_on = None

COLUMNS = ("backend", "login", "namespace", "phase", "project")


def upgrade() -> None:
    for column in COLUMNS:
        op.create_index(f"run_{column}", "run", [column, "started_at"])


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"run_{column}", "run")
