"""How many runs of a day and a namespace are in which phase, kept by the database itself as runs change.

Triggers keep `run_count`, whoever writes: the recorder, the operator's mirror, pruning, a person. They belong to the
migration `headwater_0004`; a later one that rebuilds the table `run` has to make them anew.
"""

from __future__ import annotations

_ADD = (
    "INSERT INTO run_count (day, namespace, phase, runs) "
    "VALUES (CAST(NEW.started_at / 86400 AS INTEGER), coalesce(NEW.namespace, ''), NEW.phase, 1) "
    "ON CONFLICT (day, namespace, phase) DO UPDATE SET runs = runs + 1;"
)
_TAKE = (
    "UPDATE run_count SET runs = runs - 1 WHERE day = CAST(OLD.started_at / 86400 AS INTEGER) "
    "AND namespace = coalesce(OLD.namespace, '') AND phase = OLD.phase;"
)

SQLITE = (
    f"CREATE TRIGGER run_count_insert AFTER INSERT ON run BEGIN {_ADD} END",
    "CREATE TRIGGER run_count_update AFTER UPDATE OF phase, started_at, namespace ON run "
    "WHEN OLD.phase <> NEW.phase OR OLD.started_at <> NEW.started_at OR OLD.namespace IS NOT NEW.namespace "
    f"BEGIN {_TAKE} {_ADD} END",
    f"CREATE TRIGGER run_count_delete AFTER DELETE ON run BEGIN {_TAKE} END",
)

_DAY = "CAST(floor(started_at / 86400) AS INTEGER), coalesce(namespace, ''), phase"
_ROWS = {
    "INSERT": f"SELECT {_DAY}, 1 FROM new_rows",
    "UPDATE": f"SELECT {_DAY}, 1 FROM new_rows UNION ALL SELECT {_DAY}, -1 FROM old_rows",
    "DELETE": f"SELECT {_DAY}, -1 FROM old_rows",
}
_TABLES = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}


def _counted(event: str) -> str:
    # In order: two statements that count the same days never wait for each other in a circle.
    return (
        "INSERT INTO run_count (day, namespace, phase, runs) SELECT day, namespace, phase, sum(many) FROM "
        f"({_ROWS[event]}) AS changed (day, namespace, phase, many) GROUP BY 1, 2, 3 HAVING sum(many) <> 0 "
        "ORDER BY 1, 2, 3 ON CONFLICT (day, namespace, phase) DO UPDATE SET runs = run_count.runs + excluded.runs"
    )


POSTGRESQL = tuple(
    text
    for event in _ROWS
    for text in (
        f"CREATE FUNCTION run_count_{event.lower()}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {_counted(event)}; RETURN NULL; END $$",
        f"CREATE TRIGGER run_count_{event.lower()} AFTER {event} ON run REFERENCING {_TABLES[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION run_count_{event.lower()}()",
    )
)

FILL = (
    "INSERT INTO run_count (day, namespace, phase, runs) "
    "SELECT {day}, coalesce(namespace, ''), phase, count(*) FROM run GROUP BY 1, 2, 3"
)
"""Count the runs that are there; `day` is `DAY` of the dialect."""

DAY = {
    "sqlite": "CAST(started_at / 86400 AS INTEGER)",
    "postgresql": "CAST(floor(started_at / 86400) AS INTEGER)",
}
