"""Which artifacts a run's record names."""

from __future__ import annotations

from headwater.records.connection import Connection

_PLACES = {"run": ("inputs", "outputs"), "block": ("inputs", "outputs"), "map_slice": ("outputs",)}


def mentions(connection: Connection, run_id: str, reference: str) -> bool:
    """Whether a run was given, or gave, the artifact of this name (`sha256:…`)."""
    given = {"run": run_id, "reference": f'%"{reference}"%'}
    for table, columns in _PLACES.items():
        named = " OR ".join(f"{column} LIKE :reference" for column in columns)
        sql = f"SELECT 1 FROM {table} WHERE run_id = :run AND ({named}) LIMIT 1"
        if connection.rows(sql, given):
            return True
    return False
