"""ui: the dashboard, served from this process."""

from __future__ import annotations

import sys
from pathlib import Path

from headwater.configuration import database_url, setup_logging
from headwater.records.connection import sqlite_path


def open_dashboard(
    *,
    host: str,
    port: int,
    opens: bool,
    database: str | None,
    token: str,
    trust_proxy_headers: bool,
    per_namespace: bool,
    store: str,
    read_only: bool,
    keep_logs: bool,
) -> None:
    """Serve the dashboard until Ctrl-C.

    Raises:
        UsageError: the port is taken, or the address would be open to everybody.
    """
    setup_logging()
    from headwater_dashboard.options import Options
    from headwater_dashboard.server import serve

    path = sqlite_path(database) if database is not None else None
    if path is not None and not Path(path).exists():
        print(
            f"there is no run database {path} yet: the page is empty until a run is recorded", file=sys.stderr
        )
    options = Options(
        database or database_url(),
        host,
        token,
        trust_proxy_headers,
        read_only,
        store,
        keep_logs,
        per_namespace,
    )
    serve(options, port=port, opens=opens)
