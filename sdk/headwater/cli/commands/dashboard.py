"""ui: the dashboard, served from this process."""

from __future__ import annotations

from headwater.configuration import database_url, setup_logging
from headwater.errors import UsageError

NEEDED = ("fastapi", "uvicorn", "starlette")


def open_dashboard(
    *,
    host: str,
    port: int,
    opens: bool,
    database: str | None,
    token: str,
    trust_proxy_headers: bool,
    read_only: bool,
) -> None:
    """Serve the dashboard until Ctrl-C.

    Raises:
        UsageError: the extra is not installed, the port is taken, or the address would be open to everybody.
    """
    setup_logging()
    try:
        from headwater_dashboard.options import Options
        from headwater_dashboard.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        raise UsageError(
            f"the dashboard needs the package {error.name!r}", fix="pip install 'headwater[dashboard]'"
        ) from None
    options = Options(database or database_url(), host, token, trust_proxy_headers, read_only)
    serve(options, port=port, opens=opens)
