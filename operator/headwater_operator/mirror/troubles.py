"""What an error of PostgreSQL means to people, and whether trying again may help."""

from __future__ import annotations

import psycopg2
from headwater.errors import RecordsError
from headwater.records.connection import DatabaseBusyError, shown

_BAD_ROW_CLASSES = ("21", "22", "23", "54")

# SQLSTATE, or its class: what it means, what to do.
_MEANINGS = (
    ("53100", "its disk is full", "Free some space on the disk of the database."),
    ("53300", "it takes no more connections", "Raise its max_connections, or close some connections."),
    ("53", "it lacks resources", "Look into its log."),
    ("55P03", "somebody holds a lock on its tables", "`SELECT * FROM pg_locks` says who."),
    ("57014", "it did not answer in time", "Look at its load."),
    ("57", "it is shutting down or starting up", "Nothing needs to be done if that was meant."),
    ("40", "another transaction was in the way", "Nothing needs to be done."),
    ("25006", "it is read-only", "Give the URL of the primary server, not of a standby."),
    ("28", "it refuses the login", "Check login and password in the operator's database URL."),
    ("3D000", "it does not exist", "Create it (CREATE DATABASE), or correct the operator's database URL."),
    ("42501", "the operator's login may not do that", "Make it the owner of the database, or grant CREATE, "
     "TEMPORARY and the tables to it."),
    ("42", "its tables are not what they should be", "Run `flowctl db upgrade`."),
)  # fmt: skip


class BadRowsError(RecordsError):
    """The database refuses a row for what is in it: trying again does not help."""


def trouble(error: psycopg2.Error, url: str) -> RecordsError:
    """An error of psycopg2 as one of ours; the reason is what the server said first.

    >>> print(trouble(psycopg2.OperationalError("connection refused"), "postgresql://ada:x@db/runs"))
    the run database postgresql://ada:***@db/runs cannot be reached (connection refused). Check that it runs.
    """
    code = error.pgcode or ""
    reason = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
    if code.startswith(_BAD_ROW_CLASSES):
        return BadRowsError(f"the run database {shown(url)} refuses a row ({reason})")
    for start, meaning, fix in _MEANINGS:
        if code.startswith(start):
            return DatabaseBusyError(f"the run database {shown(url)}: {meaning} ({reason})", fix=fix)
    return DatabaseBusyError(
        f"the run database {shown(url)} cannot be reached ({reason})", fix="Check that it runs."
    )
