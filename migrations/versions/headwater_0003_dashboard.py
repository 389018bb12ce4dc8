"""Runs are found by phase, project, namespace, user, name and backend, latest first, among millions of them."""

from alembic import op

revision = "headwater_0003"
down_revision = "headwater_0002"
branch_labels = None
depends_on = None

COLUMNS = ("backend", "login", "name", "namespace", "project")


def upgrade() -> None:
    op.drop_index("run_name", "run")
    for column in COLUMNS:
        op.create_index(f"run_{column}", "run", [column, "started_at", "phase"])
    op.create_index("run_phase", "run", ["phase", "started_at"])


def downgrade() -> None:
    op.drop_index("run_phase", "run")
    for column in COLUMNS:
        op.drop_index(f"run_{column}", "run")
    op.create_index("run_name", "run", ["name", "started_at"])
