"""Where things are kept: local state, the cache, the run database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from headwater.configuration.current import config
from headwater.configuration.project_settings import settings
from headwater.errors import ConfigError

HOME_VARIABLE = "HEADWATER_HOME"
DATABASE_NAME = "headwater.db"
DIALECTS = ("sqlite", "postgresql")


def state_dir() -> Path:
    """The folder of the run database, artifacts, logs and cache: `HEADWATER_HOME`, else `.headwater` here.

    It is not created: who writes into it does that.
    """
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute()
    root = settings.ROOT_DIRECTORY
    return (Path(root) if root else Path.cwd()) / ".headwater"


def cache_dir() -> Path:
    """The cache folder: the config's `workflow_cache_dir`, else below `TEMP_DIR`, else in the local state.

    A relative path in the config is relative to the config file.
    """
    configured = config.get("workflow_cache_dir")
    if configured:
        return _beside_config(str(configured))
    if settings.TEMP_DIR:
        return Path(settings.TEMP_DIR).expanduser().absolute() / "workflow_cache"
    return state_dir() / "cache"


def database_url(label: str | None = None, *, role: Literal["user", "admin"] = "user") -> str:
    """The URL of a database of the config, by its label; of the run database when no label is given.

    The run database is the one labelled `MAIN_DATABASE`; without it, a file in the local state.
    """
    wanted = label or str(settings.MAIN_DATABASE)
    databases = config.get("databases") or {}
    if not isinstance(databases, Mapping):
        raise ConfigError(
            "`databases` in the config is not a mapping", fix="Write `databases: {default: {...}}`."
        )
    if wanted not in databases:
        if wanted == "default":
            return f"sqlite:///{state_dir() / DATABASE_NAME}"
        known = ", ".join(sorted(map(str, databases))) or "none"
        raise ConfigError(
            f"the config has no database {wanted!r} (it has: {known})",
            fix=f"Add `databases: {{{wanted}: {{dialect: sqlite, path: ...}}}}` to the config file.",
        )
    return _url(wanted, databases[wanted], role)


def _url(label: str, section: Any, role: str) -> str:
    dialect = section.get("dialect") if isinstance(section, Mapping) else None
    if dialect == "sqlite":
        path = str(_required(label, section, "path"))
        return "sqlite://" if path == ":memory:" else f"sqlite:///{_beside_config(path)}"
    if dialect in ("postgresql", "postgres"):
        from urllib.parse import quote

        login = str(section.get(role) or _required(label, section, "user"))
        address = _required(label, section, "address")
        user, _, password = login.partition(":")
        credentials = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql+psycopg2://{credentials}@{address}/{_required(label, section, 'database')}"
    raise ConfigError(
        f"the database {label!r} has the unknown dialect {dialect!r}",
        fix=f"Use one of: {', '.join(DIALECTS)}.",
    )


def _required(label: str, section: Mapping[str, Any], key: str) -> Any:
    value = section.get(key)
    if not value:
        raise ConfigError(
            f"the database {label!r} of the config lacks `{key}`", fix=f"Add `databases.{label}.{key}`."
        )
    return value


def _beside_config(path: str) -> Path:
    folder = config.path.parent if config.path else Path.cwd()
    return (folder / Path(path).expanduser()).absolute()
