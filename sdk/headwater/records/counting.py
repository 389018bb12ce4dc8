"""How many runs of a day and a namespace are in which phase, kept by the database itself as runs change.

Once for all runs, and once for each workflow, project, backend and user: `kind` is the column of `run` and `value` what
stands in it, both "" for all runs. So a count by any one of them is a few rows, however many runs there are.
Triggers keep `run_count`, whoever writes: the recorder, the operator's mirror, pruning, a person. They belong to the
migration `headwater_0005`; a later one that rebuilds the table `run` has to make them anew.
"""

from __future__ import annotations

KINDS = ("name", "project", "backend", "login")

_COLUMNS = "kind, value, day, namespace, phase"

# ---------------------------------------------------------------- SQLite, where a trigger sees one row


def _values(row: str) -> str:
    """Under which kinds and values a row is counted."""
    listed = " UNION ALL ".join(f"SELECT '{kind}', {row}.{kind}" for kind in KINDS)
    return f"SELECT '' AS kind, '' AS value UNION ALL {listed}"


_ADD = (
    f"INSERT INTO run_count ({_COLUMNS}, runs) SELECT kind, value, CAST(NEW.started_at / 86400 AS INTEGER), "
    f"coalesce(NEW.namespace, ''), NEW.phase, 1 FROM ({_values('NEW')}) WHERE value IS NOT NULL "
    f"ON CONFLICT ({_COLUMNS}) DO UPDATE SET runs = runs + 1;"
)
_OLD = (
    f"(kind, value) IN ({_values('OLD')}) AND day = CAST(OLD.started_at / 86400 AS INTEGER) "
    "AND namespace = coalesce(OLD.namespace, '') AND phase = OLD.phase"
)
_TAKE = f"UPDATE run_count SET runs = runs - 1 WHERE {_OLD}; DELETE FROM run_count WHERE {_OLD} AND runs = 0;"
_MAY_BE_NULL = ("namespace", "project")
_COUNTED = ("phase", "started_at", "namespace", *KINDS)
_DIFFERS = " OR ".join(
    f"OLD.{column} {'IS NOT' if column in _MAY_BE_NULL else '<>'} NEW.{column}" for column in _COUNTED
)

SQLITE = (
    f"CREATE TRIGGER run_count_insert AFTER INSERT ON run BEGIN {_ADD} END",
    f"CREATE TRIGGER run_count_update AFTER UPDATE OF {', '.join(_COUNTED)} ON run "
    f"WHEN {_DIFFERS} BEGIN {_TAKE} {_ADD} END",
    f"CREATE TRIGGER run_count_delete AFTER DELETE ON run BEGIN {_TAKE} END",
)

# ---------------------------------------------------------------- PostgreSQL, where it sees all rows of a statement


def _rows(table: str, many: int) -> str:
    listed = ", ".join(f"('{kind}', {table}.{kind})" for kind in KINDS)
    return (
        "SELECT kind, value, CAST(floor(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase, "
        f"{many} FROM {table}, LATERAL (VALUES ('', ''), {listed}) AS counted (kind, value) "
        "WHERE value IS NOT NULL"
    )


_CHANGES = {
    "INSERT": _rows("new_rows", 1),
    "UPDATE": f"{_rows('new_rows', 1)} UNION ALL {_rows('old_rows', -1)}",
    "DELETE": _rows("old_rows", -1),
}
_TABLES = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}


def _counted(event: str) -> str:
    # In order: two statements that count the same days never wait for each other in a circle.
    add = (
        f"INSERT INTO run_count ({_COLUMNS}, runs) SELECT {_COLUMNS}, sum(many) FROM "
        f"({_CHANGES[event]}) AS changed ({_COLUMNS}, many) GROUP BY 1, 2, 3, 4, 5 HAVING sum(many) <> 0 "
        f"ORDER BY 1, 2, 3, 4, 5 ON CONFLICT ({_COLUMNS}) DO UPDATE SET runs = run_count.runs + excluded.runs"
    )
    if event == "INSERT":
        return add
    # Only rows that this statement has changed, and so holds, can be 0.
    columns = f"old ({_COLUMNS}, many)"
    return (
        f"{add}; DELETE FROM run_count WHERE runs = 0 AND ({_COLUMNS}) IN "
        f"(SELECT {_COLUMNS} FROM ({_rows('old_rows', -1)}) AS {columns})"
    )


POSTGRESQL = tuple(
    text
    for event in _CHANGES
    for text in (
        f"CREATE FUNCTION run_count_{event.lower()}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {_counted(event)}; RETURN NULL; END $$",
        f"CREATE TRIGGER run_count_{event.lower()} AFTER {event} ON run REFERENCING {_TABLES[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION run_count_{event.lower()}()",
    )
)

# ---------------------------------------------------------------- the runs that are there


def fill(dialect: str) -> tuple[str, ...]:
    """What counts the runs that are there already."""
    floor = "floor" if dialect == "postgresql" else ""
    return tuple(
        f"INSERT INTO run_count ({_COLUMNS}, runs) SELECT '{kind}', {value}, "
        f"CAST({floor}(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase, count(*) "
        f"FROM run WHERE {value} IS NOT NULL GROUP BY 1, 2, 3, 4, 5"
        for kind, value in (("", "''"), *((kind, kind) for kind in KINDS))
    )
