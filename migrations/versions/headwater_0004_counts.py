"""How many runs of a day and a namespace are in which phase is kept as runs change, not counted when looked at."""

import sqlalchemy as sa
from alembic import op

revision = "headwater_0004"
down_revision = "headwater_0003"
branch_labels = None
depends_on = None

EVENTS = ("insert", "update", "delete")

ADD = (
    "INSERT INTO run_count (day, namespace, phase, runs) "
    "VALUES (CAST(NEW.started_at / 86400 AS INTEGER), coalesce(NEW.namespace, ''), NEW.phase, 1) "
    "ON CONFLICT (day, namespace, phase) DO UPDATE SET runs = runs + 1;"
)
TAKE = (
    "UPDATE run_count SET runs = runs - 1 WHERE day = CAST(OLD.started_at / 86400 AS INTEGER) "
    "AND namespace = coalesce(OLD.namespace, '') AND phase = OLD.phase;"
)
SQLITE = (
    f"CREATE TRIGGER run_count_insert AFTER INSERT ON run BEGIN {ADD} END",
    "CREATE TRIGGER run_count_update AFTER UPDATE OF phase, started_at, namespace ON run "
    "WHEN OLD.phase <> NEW.phase OR OLD.started_at <> NEW.started_at OR OLD.namespace IS NOT NEW.namespace "
    f"BEGIN {TAKE} {ADD} END",
    f"CREATE TRIGGER run_count_delete AFTER DELETE ON run BEGIN {TAKE} END",
)

DAY = "CAST(floor(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase"
ROWS = {
    "insert": f"SELECT {DAY}, 1 FROM new_rows",
    "update": f"SELECT {DAY}, 1 FROM new_rows UNION ALL SELECT {DAY}, -1 FROM old_rows",
    "delete": f"SELECT {DAY}, -1 FROM old_rows",
}
TABLES = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "run_count",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("namespace", sa.Text(), primary_key=True),
        sa.Column("phase", sa.Text(), primary_key=True),
        sa.Column("runs", sa.Integer(), nullable=False),
    )
    if postgresql:
        op.execute("LOCK TABLE run IN SHARE ROW EXCLUSIVE MODE")
    day = DAY if postgresql else DAY.replace("floor", "")
    op.execute(
        f"INSERT INTO run_count (day, namespace, phase, runs) SELECT {day}, count(*) FROM run GROUP BY 1, 2, 3"
    )
    for text in postgresql_triggers() if postgresql else SQLITE:
        op.execute(text)


def postgresql_triggers() -> list[str]:
    found = []
    for event in EVENTS:
        # In order: two statements that count the same days never wait for each other in a circle.
        counted = (
            "INSERT INTO run_count (day, namespace, phase, runs) SELECT day, namespace, phase, sum(many) FROM "
            f"({ROWS[event]}) AS changed (day, namespace, phase, many) GROUP BY 1, 2, 3 HAVING sum(many) <> 0 "
            "ORDER BY 1, 2, 3 ON CONFLICT (day, namespace, phase) "
            "DO UPDATE SET runs = run_count.runs + excluded.runs"
        )
        found.append(
            f"CREATE FUNCTION run_count_{event}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {counted}; RETURN NULL; END $$"
        )
        found.append(
            f"CREATE TRIGGER run_count_{event} AFTER {event} ON run REFERENCING {TABLES[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION run_count_{event}()"
        )
    return found


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for event in EVENTS:
        op.execute(f"DROP TRIGGER run_count_{event}" + (" ON run" if postgresql else ""))
        if postgresql:
            op.execute(f"DROP FUNCTION run_count_{event}()")
    op.drop_table("run_count")
